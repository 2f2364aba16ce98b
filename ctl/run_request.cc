#include "ctl/run_request.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <memory>

#include "arch/program.h"
#include "base/file.h"
#include "base/retry.h"

namespace emud::ctl {
namespace {

// The descriptors of this process, in order.
Result<std::vector<int>> open_descriptors() {
  constexpr int most_tried = 64;
  std::vector<int> numbers;
  // How many there are: proc.rst of the kernel, "/proc/<pid>/fd", since Linux 6.2; 0 before. Most
  // are the first, and to list them takes longer than to try.
  struct stat folder{};
  if (::stat("/proc/self/fd", &folder) == 0) {
    const auto count = static_cast<std::size_t>(folder.st_size);
    for (int number = 0; numbers.size() < count && number < most_tried; ++number) {
      if (::fcntl(number, F_GETFD) >= 0) numbers.push_back(number);
    }
    if (count > 0 && numbers.size() == count) return numbers;
  }
  numbers.clear();
  EMUD_ASSIGN(const auto names, list_directory(AT_FDCWD, "/proc/self/fd"));
  for (const auto& name : names) {
    std::from_chars(name.data(), name.data() + name.size(), numbers.emplace_back(-1));
  }
  std::ranges::sort(numbers);
  return numbers;
}

// The caller's: after execve(2) all that is open is open without close-on-exec, and every
// descriptor emuctl opens itself has the flag.
Result<std::vector<int>> inherited_descriptors(std::span<const int> excluded) {
  EMUD_ASSIGN(auto numbers, open_descriptors());
  std::erase_if(numbers, [&](int number) {
    const int flags = ::fcntl(number, F_GETFD);
    return flags < 0 || (flags & FD_CLOEXEC) != 0 ||
           std::ranges::find(excluded, number) != excluded.end();
  });
  return numbers;
}

Result<> add_descriptors(RunRequest& request, std::span<const int> excluded) {
  EMUD_ASSIGN(const auto numbers, inherited_descriptors(excluded));
  if (numbers.size() > max_passed_descriptors) {
    return fail(
        Errc::limit_exceeded, "pass on", "the open file descriptors",
        fmt::format("{} are open, and {} can be passed", numbers.size(), max_passed_descriptors),
        "Close those the command does not need, or let their owner open them close-on-exec");
  }
  for (const int number : numbers) {
    const int copy = ::fcntl(number, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) return fail_errno("duplicate", fmt::format("descriptor {}", number));
    request.call.descriptors.push_back({number, static_cast<std::int64_t>(request.fds.size())});
    request.fds.emplace_back(copy);
  }
  return {};
}

// The name of the working directory for a message: getcwd(3) fails just where it is needed most.
std::string working_directory_name() {
  const std::unique_ptr<char, void (*)(void*)> path{::getcwd(nullptr, 0), std::free};
  if (path) return path.get();
  const char* variable = std::getenv("PWD");
  return variable != nullptr ? variable : ".";
}

Result<> add_working_directory(RunRequest& request) {
  UniqueFd directory{uninterrupted([] { return ::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC); })};
  if (!directory) {
    const int reason = errno;
    return fail_errno(reason, "open the working directory", working_directory_name(),
                      "Change into a directory that exists and that you may enter");
  }
  request.call.working_directory = static_cast<std::int64_t>(request.fds.size());
  request.fds.push_back(std::move(directory));
  return {};
}

mode_t current_umask() {
  const mode_t mask = ::umask(077);  // umask(2) cannot be read without setting it
  ::umask(mask);
  return mask;
}

std::string_view basename(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

std::string found_in_path(const std::string& program) {
  if (program.find('/') != std::string::npos) return program;
  const char* variable = std::getenv("PATH");
  std::string_view folders = variable != nullptr ? variable : "/bin:/usr/bin";
  for (;;) {
    const std::string_view folder = folders.substr(0, folders.find(':'));
    std::string path = fmt::format("{}/{}", folder.empty() ? "." : folder, program);
    if (::access(path.c_str(), X_OK) == 0) return path;
    if (folder.size() == folders.size()) return {};
    folders.remove_prefix(folder.size() + 1);
  }
}

}  // namespace

bool is_nix_command(std::string_view program) {
  constexpr std::array<std::string_view, 5> names{"nix", "nixos-rebuild", "nixos-generate",
                                                  "nixos-generators", "nixos-install"};
  const std::string_view name = basename(program);
  return name.starts_with("nix-") || std::ranges::find(names, name) != names.end();
}

Result<ForeignProgram> foreign_program(const std::string& name) {
  const auto program = look_at_program(found_in_path(name));
  if (!program || program->architecture == nullptr ||
      program->architecture->name == host_architecture().name) {
    return ForeignProgram{};
  }
  if (program->defect) return std::unexpected(explain_refusal(*program));
  ForeignProgram found{std::string{program->architecture->name}, {}};
  if (!program->interpreter.empty() && ::access(program->interpreter.c_str(), F_OK) != 0) {
    found.missing_linker = program->interpreter;
  }
  return found;
}

Result<RunRequest> make_run_request(const RunIntent& intent, std::span<const int> excluded) {
  RunRequest request;
  EMUD_TRY(add_descriptors(request, excluded));
  EMUD_TRY(add_working_directory(request));
  wire::RunCall& call = request.call;
  call.architectures = intent.architectures;
  call.scope = intent.scope;
  if (!intent.emulator.empty()) call.emulator = intent.emulator;
  call.arguments = intent.command;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    call.environment.emplace_back(*variable);
  }
  call.umask = current_umask();
  if (intent.fresh) call.fresh = true;
  if (intent.no_fetch) call.fetch = false;
  const wire::Limits& limits = intent.limits;
  if (limits.processes || limits.memory || limits.cpu_weight || limits.seconds)
    call.limits = limits;
  if (!intent.command.empty()) {
    const std::string& program = intent.command.front();
    if (intent.nix.value_or(is_nix_command(program))) call.nix = true;
    EMUD_ASSIGN(ForeignProgram foreign, foreign_program(program));
    if (call.architectures.empty() && !foreign.architecture.empty()) {
      call.architectures.push_back(std::move(foreign.architecture));
    }
    request.missing_linker = std::move(foreign.missing_linker);
  }
  return request;
}

}  // namespace emud::ctl
