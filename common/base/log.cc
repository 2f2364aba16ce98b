#include "base/log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "base/retry.h"

namespace emud {
namespace {

Level threshold = Level::info;
LogSink log_sink = nullptr;
pid_t sink_owner = 0;

std::string escaped(std::string_view text) {
  std::string line;
  for (const char byte : text) {
    const auto value = static_cast<unsigned char>(byte);
    if (value < 0x20 || value == 0x7f) {
      line += fmt::format("\\x{:02x}", value);
    } else {
      line += byte;
    }
  }
  return line;
}

}  // namespace

void set_log_level(Level level) {
  threshold = level;
}

void set_log_sink(LogSink sink) {
  log_sink = sink;
  sink_owner = ::getpid();
}

void log(Level level, std::string_view text, const LogFields& fields) {
  if (level > threshold) return;
  const std::string safe = escaped(text);
  if (log_sink != nullptr && sink_owner == ::getpid() && log_sink(level, safe, fields)) return;
  static const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  const std::string line = journal ? fmt::format("<{}>{}\n", static_cast<int>(level), safe)
                                   : fmt::format("emud: {}\n", safe);
  // A log that cannot be written must not stop the work.
  [[maybe_unused]] const ssize_t count =
      uninterrupted([&] { return ::write(STDERR_FILENO, line.data(), line.size()); });
}

void log(const Error& error) {
  log(Level::error,
      error.hint.empty() ? error.message() : fmt::format("{}. {}.", error.message(), error.hint));
}

}  // namespace emud
