#include "emulator/unpack.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sys/wait.h>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>

#include "base/file.h"
#include "base/paths.h"
#include "emulator/fetcher.h"
#include "emulator/unprivileged.h"

namespace emud {
namespace {

constexpr std::string_view package_hint =
    "Get the package again, or take another one: Debian's qemu-user-static or qemu-user";

// The members that may be there; the preferred name of an architecture comes first.
std::vector<PackageMember> usual_members(std::span<const Architecture* const> architectures) {
  std::vector<PackageMember> members;
  for (const Architecture* architecture : architectures) {
    for (const std::string_view suffix : {"-static", ""}) {
      members.push_back(
          {architecture, fmt::format("usr/bin/qemu-{}{}", architecture->name, suffix)});
    }
  }
  return members;
}

Result<std::vector<UnpackedEmulator>> make_outputs(const Store& store,
                                                   std::span<const PackageMember> members) {
  std::vector<UnpackedEmulator> outputs;
  for (const PackageMember& member : members) {
    EMUD_ASSIGN(UniqueFd file, store.make_temporary());
    outputs.push_back({member.architecture, member.path, std::move(file)});
  }
  return outputs;
}

Result<UnprivilegedOutcome> run_fetcher(int package, const std::vector<UnpackedEmulator>& outputs,
                                        std::string_view name) {
  EMUD_ASSIGN(const std::string path, helper_program("emud-fetcher"));
  auto program = open_at(AT_FDCWD, path, O_RDONLY);
  if (!program) {
    program.error().hint = "Install emud completely, or set EMUD_LIBEXEC to where emud-fetcher is";
    return std::unexpected(std::move(program).error());
  }
  UnprivilegedProgram fetcher{.program = program->get(),
                              .name = fmt::format("emud-fetcher on {}", name),
                              .arguments = {"emud-fetcher", "unpack"},
                              .input = package,
                              .descriptors = {},
                              .time_limit = fetcher::unpack_time,
                              .cpu_seconds = fetcher::unpack_cpu_seconds,
                              .file_size = fetcher::max_member_size};
  for (const UnpackedEmulator& output : outputs) {
    fetcher.arguments.push_back(output.member);
    fetcher.descriptors.push_back(output.file.get());
  }
  return run_unprivileged(fetcher);
}

Result<> check_outcome(const UnprivilegedOutcome& outcome, std::string_view name) {
  if (outcome.succeeded()) return {};
  const std::string said = first_line(outcome.errors);
  if (WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == fetcher::exit_bad_package) {
    return fail(Errc::bad_package, "unpack", name, said, package_hint);
  }
  if (WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == fetcher::exit_output_failed) {
    const int error = std::atoi(said.c_str());
    const std::string member = said.substr(std::min(said.find(' ') + 1, said.size()));
    return fail_errno(error > 0 ? error : EIO, "write", fmt::format("{} of {}", member, name));
  }
  if (WIFSIGNALED(outcome.status) &&
      (WTERMSIG(outcome.status) == SIGXCPU || WTERMSIG(outcome.status) == SIGXFSZ)) {
    return fail(Errc::bad_package, "unpack", name,
                fmt::format("it is too large: emud-fetcher {}", describe_status(outcome.status)),
                package_hint);
  }
  return fail(Errc::system, "unpack", name,
              fmt::format("emud-fetcher {}{}{}", describe_status(outcome.status),
                          said.empty() ? "" : ": ", said),
              "Try again; look for the reason in the kernel's log if it was killed");
}

// Which of the outputs the fetcher says it has written: a line "<member> <size>" each.
Result<std::vector<bool>> written_outputs(std::string_view report, std::string_view name,
                                          const std::vector<UnpackedEmulator>& outputs) {
  std::vector<bool> written(outputs.size());
  while (!report.empty()) {
    const std::string_view line = report.substr(0, report.find('\n'));
    report.remove_prefix(std::min(line.size() + 1, report.size()));
    const auto output = std::ranges::find_if(outputs, [&](const UnpackedEmulator& candidate) {
      struct stat status = {};
      return ::fstat(candidate.file.get(), &status) == 0 &&
             line == fmt::format("{} {}", candidate.member, status.st_size);
    });
    if (output == outputs.end()) {
      return fail(Errc::protocol, "unpack", name,
                  fmt::format("emud-fetcher reported '{}', which is not so", first_line(line)),
                  "Check that emud and emud-fetcher are of the same version");
    }
    written[static_cast<std::size_t>(output - outputs.begin())] = true;
  }
  return written;
}

}  // namespace

Result<std::vector<UnpackedEmulator>> unpack_members(const Store& store, int package,
                                                     std::string_view name,
                                                     std::span<const PackageMember> members) {
  if (::lseek(package, 0, SEEK_SET) != 0) return fail_errno("read", name);
  EMUD_ASSIGN(auto outputs, make_outputs(store, members));
  EMUD_ASSIGN(const auto outcome, run_fetcher(package, outputs, name));
  EMUD_TRY(check_outcome(outcome, name));
  EMUD_ASSIGN(const auto written, written_outputs(outcome.output, name, outputs));
  std::vector<UnpackedEmulator> emulators;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (written[i]) emulators.push_back(std::move(outputs[i]));
  }
  return emulators;
}

Result<std::vector<UnpackedEmulator>> unpack_emulators(
    const Store& store, int package, std::string_view name,
    std::span<const Architecture* const> architectures) {
  EMUD_ASSIGN(auto emulators, unpack_members(store, package, name, usual_members(architectures)));
  const auto second = std::ranges::unique(emulators, {}, &UnpackedEmulator::architecture);
  emulators.erase(second.begin(), second.end());
  return emulators;
}

}  // namespace emud
