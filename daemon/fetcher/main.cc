// emud-fetcher: downloads and opens archives for emud, as a process that may do nothing else. The
// contract is in emulator/fetcher.h.
#include <fmt/format.h>
#include <unistd.h>

#include <clocale>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "daemon/fetcher/confine.h"
#include "daemon/fetcher/download.h"
#include "daemon/fetcher/unpack.h"
#include "emulator/fetcher.h"

namespace {

using namespace emud;

constexpr int first_output = 3;
constexpr std::size_t max_job_size = 65536;

void complain(std::string_view text) {
  (void)write_all(STDERR_FILENO, "the error", fmt::format("{}\n", text));
}

Result<> unpack(std::vector<fetcher::Output> outputs) {
  EMUD_TRY(fetcher::confine_unpacking());
  EMUD_TRY(fetcher::unpack_package(STDIN_FILENO, outputs));
  std::string report;
  for (const auto& output : outputs) {
    if (output.is_written) report += fmt::format("{} {}\n", output.member, output.size);
  }
  return write_all(STDOUT_FILENO, "the report", report);
}

int run_unpack(int argc, char** argv) {
  std::setlocale(LC_ALL, "C.UTF-8");  // names in archives are UTF-8
  std::vector<fetcher::Output> outputs;
  for (int i = 2; i < argc; ++i) outputs.push_back({argv[i], first_output + i - 2});
  const auto done = unpack(std::move(outputs));
  if (done) return 0;
  const Error& error = done.error();
  if (error.errno_value != 0 && error.action == "write") {
    complain(fmt::format("{} {}", error.errno_value, error.object));
    return fetcher::exit_output_failed;
  }
  const bool is_bad_package = error.code == Errc::bad_package;
  complain(is_bad_package ? fmt::format("{}: {}", error.object, error.reason) : error.message());
  return is_bad_package ? fetcher::exit_bad_package : 1;
}

Result<fetcher::Job> prepare() {
  EMUD_ASSIGN(const std::string text, read_all(STDIN_FILENO, "the job", max_job_size));
  EMUD_ASSIGN(auto job, fetcher::parse_job(text));
  EMUD_TRY(fetcher::prepare_downloading());
  EMUD_TRY(fetcher::confine_downloading(job.max_size));
  return job;
}

int run_download() {
  const auto job = prepare();
  if (!job) {
    complain(job.error().message());
    return 1;
  }
  const auto done = fetcher::download(*job, first_output, STDOUT_FILENO);
  if (done) return 0;
  const Error& error = done.error();
  if (error.code == Errc::not_found && error.errno_value == 0) {
    complain(error.reason);
    return fetcher::exit_bad_source;
  }
  const bool is_output = error.errno_value != 0;
  complain(is_output ? std::to_string(error.errno_value) : error.message());
  return is_output ? fetcher::exit_output_failed : 1;
}

int run(int argc, char** argv) {
  const std::string_view verb = argc >= 2 ? argv[1] : "";
  if (verb == "unpack" && argc >= 3) return run_unpack(argc, argv);
  if (verb == "download" && argc == 2) return run_download();
  complain("usage: emud-fetcher unpack MEMBER... | emud-fetcher download");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  // Nothing is left to clean up, and what would run at exit may no longer open or start anything.
  ::_exit(run(argc, argv));
}
