#include "ctl/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "ctl/output.h"

namespace emud::ctl {
namespace {

constexpr double mebibyte = 1024.0 * 1024.0;

double mebibytes(std::int64_t bytes) {
  return static_cast<double>(bytes) / mebibyte;
}

// Of the terminal (tty_ioctl(4)); 80 where it does not say.
std::size_t columns() {
  winsize size{};
  const bool is_known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return is_known ? size.ws_col : 80;
}

// "10 s", "3 min 5 s".
std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

// Nothing can be done about a message that cannot be written.
void write_line(std::string_view text) {
  (void)write_all(STDERR_FILENO, "standard error", text);
}

}  // namespace

ProgressDisplay::ProgressDisplay(Verbosity verbosity)
    : verbosity_(verbosity),
      is_terminal_(verbosity == Verbosity::normal && ::isatty(STDERR_FILENO) == 1) {}

void ProgressDisplay::show(const wire::Progress& progress) {
  const bool has_size = progress.total.value_or(0) > 0;
  const std::string name = fmt::format("{} {}", progress.step, progress.object);
  const bool is_new = has_size && name != current_;
  if (is_new) {
    current_ = name;
    first_ = progress.done.value_or(0);
    began_ = std::chrono::steady_clock::now();
  }
  if (verbosity_ == Verbosity::verbose) {
    message(progress_text(progress));
  } else if (is_terminal_ && has_size) {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - began_;
    const auto done = static_cast<double>(progress.done.value_or(0) - first_);
    const double rate = elapsed.count() > 0.5 && done > 0 ? done / elapsed.count() : 0;
    write_line(fmt::format("\r{}\x1b[K",  // ECMA-48: erase in line
                           progress_bar(progress, rate, columns())));
    has_line_ = true;
  } else {
    clear();
    if (verbosity_ == Verbosity::normal && is_new && !is_terminal_) {
      message(fmt::format("{} ({:.1f} MiB)", name, mebibytes(*progress.total)));
    }
  }
}

void ProgressDisplay::clear() {
  if (has_line_) write_line("\r\x1b[K");
  has_line_ = false;
}

std::string progress_bar(const wire::Progress& progress, double rate, std::size_t width) {
  constexpr std::int64_t cells = 20;
  const std::int64_t total = std::max<std::int64_t>(progress.total.value_or(0), 1);
  const std::int64_t done = std::clamp<std::int64_t>(progress.done.value_or(0), 0, total);
  const auto filled = static_cast<std::size_t>(cells * done / total);
  std::string text = fmt::format(
      "{} {} [{}{}] {:.1f} of {:.1f} MiB", progress.step, progress.object, std::string(filled, '#'),
      std::string(cells - filled, '-'), mebibytes(done), mebibytes(total));
  if (rate > 0) {
    text += fmt::format(", {:.1f} MiB/s, {} left", rate / mebibyte,
                        duration(static_cast<double>(total - done) / rate));
  }
  // The last column stays free: some terminals would go to the next line.
  if (text.size() >= width) text.resize(width > 0 ? width - 1 : 0);
  return text;
}

std::string progress_text(const wire::Progress& progress) {
  std::string text = progress.step;
  if (!progress.object.empty()) text += fmt::format(" {}", progress.object);
  const std::int64_t done = progress.done.value_or(0);
  const std::int64_t total = progress.total.value_or(0);
  if (total > 0) {
    text += fmt::format(" {:.1f} of {:.1f} MiB ({:.0f} %)", mebibytes(done), mebibytes(total),
                        100.0 * static_cast<double>(done) / static_cast<double>(total));
  } else if (done > 0) {
    text += fmt::format(" {:.1f} MiB", mebibytes(done));
  }
  return text;
}

}  // namespace emud::ctl
