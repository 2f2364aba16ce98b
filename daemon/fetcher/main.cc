// emud-fetcher: opens archives for emud, as a process that may do nothing else. The contract is in
// emulator/fetcher.h.
#include <fmt/format.h>
#include <unistd.h>

#include <clocale>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "daemon/fetcher/confine.h"
#include "daemon/fetcher/unpack.h"
#include "emulator/fetcher.h"

namespace {

using namespace emud;

constexpr int first_output = 3;

Result<> unpack(std::vector<fetcher::Output> outputs) {
  EMUD_TRY(fetcher::confine());
  EMUD_TRY(fetcher::unpack_package(STDIN_FILENO, outputs));
  std::string report;
  for (const auto& output : outputs) {
    if (output.is_written) report += fmt::format("{} {}\n", output.member, output.size);
  }
  return write_all(STDOUT_FILENO, "the report", report);
}

int run(int argc, char** argv) {
  if (argc < 3 || std::string_view{argv[1]} != "unpack") {
    (void)write_all(STDERR_FILENO, "the error", "usage: emud-fetcher unpack MEMBER...\n");
    return 2;
  }
  std::setlocale(LC_ALL, "C.UTF-8");  // names in archives are UTF-8
  std::vector<fetcher::Output> outputs;
  for (int i = 2; i < argc; ++i) outputs.push_back({argv[i], first_output + i - 2});
  const auto done = unpack(std::move(outputs));
  if (done) return 0;
  const Error& error = done.error();
  const bool is_bad_package = error.code == Errc::bad_package;
  (void)write_all(STDERR_FILENO, "the error",
                  is_bad_package ? fmt::format("{}: {}\n", error.object, error.reason)
                                 : error.message() + "\n");
  return is_bad_package ? fetcher::exit_bad_package : 1;
}

}  // namespace

int main(int argc, char** argv) {
  // Nothing is left to clean up, and what would run at exit may no longer open or start anything.
  ::_exit(run(argc, argv));
}
