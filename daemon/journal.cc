// A record's priority, text and fields; where it comes from in the source tells nobody anything.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "daemon/journal.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

namespace emud {
namespace {

// false where the journal cannot be reached: the text goes to stderr then.
bool send_to_journal(Level level, std::string_view text, const LogFields& fields) {
  std::vector<std::string> lines{fmt::format("MESSAGE={}", text),
                                 fmt::format("PRIORITY={}", static_cast<int>(level)),
                                 "SYSLOG_IDENTIFIER=emud"};
  for (const auto& [name, value] : fields) {
    if (!value.empty()) lines.push_back(fmt::format("{}={}", name, value));
  }
  std::vector<iovec> parts;
  parts.reserve(lines.size());
  for (auto& line : lines) parts.push_back({line.data(), line.size()});
  return ::sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0;
}

// $JOURNAL_STREAM is "device:inode" of the stream; a stderr that was redirected is another file.
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat info{};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &info) != 0) return false;
  return fmt::format("{}:{}", info.st_dev, info.st_ino) == stream;
}

}  // namespace

void use_journal() {
  if (stderr_is_journal()) set_log_sink(send_to_journal);
}

}  // namespace emud
