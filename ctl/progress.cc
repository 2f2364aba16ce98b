#include "ctl/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/file.h"
#include "ctl/output.h"

namespace emud::ctl {
namespace {

constexpr double mebibyte = 1024.0 * 1024.0;

double mebibytes(std::int64_t bytes) {
  return static_cast<double>(bytes) / mebibyte;
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
  if (verbosity_ == Verbosity::verbose) {
    message(progress_text(progress));
  } else if (is_terminal_ && progress.total.value_or(0) > 0) {
    write_line(fmt::format("\r{}\x1b[K", progress_text(progress)));  // ECMA-48: erase in line
    has_line_ = true;
  } else {
    clear();
  }
}

void ProgressDisplay::clear() {
  if (has_line_) write_line("\r\x1b[K");
  has_line_ = false;
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
