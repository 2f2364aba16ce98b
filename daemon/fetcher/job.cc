#include "daemon/fetcher/job.h"

#include <algorithm>
#include <charconv>

namespace emud::fetcher {
namespace {

Failure wrong(std::string_view line) {
  return fail(Errc::invalid_argument, "read", "the job", line);
}

Result<std::uint64_t> number(std::string_view value, std::string_view line) {
  std::uint64_t result = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
  if (error != std::errc{} || end != value.data() + value.size() || result == 0) return wrong(line);
  return result;
}

Result<> set(Job& job, std::string_view key, std::string_view value, std::string_view line) {
  if (key == "url") {
    job.url = value;
    return {};
  }
  EMUD_ASSIGN(const std::uint64_t count, number(value, line));
  const std::chrono::seconds seconds{count};
  if (key == "size" || key == "max-size") {
    job.max_size = count;
    job.is_exact = key == "size";
  } else if (key == "connect-seconds") {
    job.connect = seconds;
  } else if (key == "stall-seconds") {
    job.stall = seconds;
  } else if (key == "grace-seconds") {
    job.grace = seconds;
  } else {
    return wrong(line);
  }
  return {};
}

}  // namespace

Result<Job> parse_job(std::string_view text) {
  Job job;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) return wrong(line);
    EMUD_TRY(set(job, line.substr(0, space), line.substr(space + 1), line));
  }
  if (job.url.empty() || job.max_size == 0 || job.connect.count() == 0 || job.stall.count() == 0 ||
      job.grace.count() == 0) {
    return wrong("a line is missing");
  }
  return job;
}

}  // namespace emud::fetcher
