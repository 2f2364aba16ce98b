#include "sandbox/command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

#include "base/file.h"
#include "base/retry.h"
#include "sandbox/execution_failure.h"

namespace emud {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (const auto& text : strings)
    result.push_back(const_cast<char*>(text.c_str()));  // execve(2) takes char*
  result.push_back(nullptr);
  return result;
}

std::string_view search_path(const std::vector<std::string>& environment) {
  for (const std::string_view variable : environment) {
    if (variable.starts_with("PATH=")) return variable.substr(5);
  }
  return "/usr/local/bin:/usr/bin:/bin";  // as execvp(3) without PATH, less the current directory
}

// A failure travels over a close-on-exec pipe; end of file means that execve succeeded. Its parts
// are separated by NUL, which none of them has.
std::string serialize(const Error& error) {
  std::string text;
  for (const std::string& part :
       {std::string{to_string(error.code)}, std::to_string(error.errno_value), error.action,
        error.object, error.reason, error.hint}) {
    text += part;
    text += '\0';
  }
  return text;
}

Error deserialize(std::string_view text) {
  const auto next = [&text] {
    const auto end = std::min(text.find('\0'), text.size());
    const std::string part{text.substr(0, end)};
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
  };
  Error error;
  error.code = errc_from_string(next());
  error.errno_value = std::atoi(next().c_str());
  error.action = next();
  error.object = next();
  error.reason = next();
  error.hint = next();
  return error;
}

Result<> take_terminal(const Command& command, bool own_group) {
  if (own_group) ::setpgid(0, 0);
  if (!command.terminal) return {};
  // The keeper leads the session of this terminal; the command becomes its foreground group, and
  // SIGTTOU would stop a background process that says so: tcsetpgrp(3).
  struct sigaction ignore{};
  struct sigaction before{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGTTOU, &ignore, &before);
  for (const auto& [number, fd] : command.fds) {
    if (number == *command.terminal && ::tcsetpgrp(fd.get(), ::getpid()) != 0) {
      return fail_errno("put the command in the foreground of", "its terminal");
    }
  }
  ::sigaction(SIGTTOU, &before, nullptr);
  return {};
}

Error become_and_execute(const Command& command, const Identity& identity,
                         const StartOptions& options) {
  const auto steps = [&]() -> Result<> {
    if (options.enter != nullptr) EMUD_TRY(options.enter(identity));
    EMUD_TRY(take_terminal(command, options.own_group));
    EMUD_TRY(install_fds(command.fds));
    if (!options.keep_identity) EMUD_TRY(become(identity));
    restore_ignored_signals(identity);
    // The working directory was entered by its descriptor; whether the caller may be in it is asked
    // here, as him.
    if (::chdir(".") != 0) {
      return fail_errno("enter", "the working directory",
                        "Change to a directory that you may search");
    }
    return {};
  };
  if (auto done = steps(); !done) return std::move(done).error();
  return execute(command.arguments, command.environment);
}

Error wait_and_execute(int gate, const Command& command, const Identity& identity,
                       const StartOptions& options) {
  char go = 0;
  const ssize_t count = uninterrupted([&] { return ::read(gate, &go, sizeof go); });
  if (count < 0) return fail_errno("wait for", "the start of the command").error();
  if (count == 0) ::_exit(125);  // the keeper is gone
  return become_and_execute(command, identity, options);
}

// What the child of start_own_command() finds in the memory it shares, and leaves there.
struct OwnStart {
  const Command& command;
  const Identity& identity;
  const StartOptions& options;
  std::optional<Error> error;
};

void run_own_command(void* given) {
  auto& start = *static_cast<OwnStart*>(given);
  start.error = become_and_execute(start.command, start.identity, start.options);
}

}  // namespace

Result<> install_fds(const std::vector<CommandFd>& fds) {
  int above = 3;
  for (const auto& entry : fds) above = std::max(above, entry.number + 1);
  // First out of the way of all targets, then each to its place: no target can overwrite a source.
  std::vector<std::pair<int, int>> moves;
  for (const auto& entry : fds) {
    const int safe = ::fcntl(entry.fd.get(), F_DUPFD_CLOEXEC, above);
    if (safe < 0) return fail_errno("pass on", fmt::format("descriptor {}", entry.number));
    moves.emplace_back(safe, entry.number);
  }
  for (const auto& [from, to] : moves) {
    if (::dup2(from, to) < 0) return fail_errno("pass on", fmt::format("descriptor {}", to));
    ::close(from);
  }
  for (int number = 0; number < 3; ++number) {
    const bool wanted =
        std::ranges::any_of(moves, [=](const auto& move) { return move.second == number; });
    if (!wanted) ::close(number);
  }
  return {};
}

Result<UniqueFd> take_over_terminal(const Command& command) {
  UniqueFd terminal;
  for (const auto& [number, fd] : command.fds) {
    if (number != command.terminal) continue;
    EMUD_ASSIGN(terminal, fd.duplicate());
    if (::ioctl(terminal.get(), TIOCSCTTY, 0) != 0) return fail_errno("take over", "the terminal");
  }
  return terminal;
}

Error execute(const std::vector<std::string>& arguments,
              const std::vector<std::string>& environment) {
  auto argument_pointers = pointers(arguments);
  auto environment_pointers = pointers(environment);
  const std::string& name = arguments.front();
  if (name.find('/') != std::string::npos) {
    ::execve(name.c_str(), argument_pointers.data(), environment_pointers.data());
    return execution_failure(name, errno);
  }
  std::optional<Error> found;  // something of that name that could not be executed
  std::string_view path = search_path(environment);
  while (!name.empty()) {
    const auto end = path.find(':');
    const std::string_view folder = path.substr(0, end);
    const std::string file = fmt::format("{}/{}", folder.empty() ? "." : folder, name);
    ::execve(file.c_str(), argument_pointers.data(), environment_pointers.data());
    const int error = errno;
    struct stat info{};
    if (::stat(file.c_str(), &info) == 0 && !S_ISDIR(info.st_mode) && !found)
      found = execution_failure(file, error);
    if (error != ENOENT && error != ENOTDIR && error != EACCES && found) break;
    if (end == std::string_view::npos) break;
    path.remove_prefix(end + 1);
  }
  if (found) return *found;
  return fail(Errc::command_not_found, "find", name.empty() ? "the command \"\"" : name,
              "no such command in PATH", "Check the name of the command and PATH")
      .error();
}

Result<Child> start_own_command(const Command& command, const Identity& identity,
                                const StartOptions& options) {
  OwnStart start{command, identity, options, {}};
  EMUD_ASSIGN(Child child, clone_to_execute(options.clone_flags, run_own_command, &start));
  if (!start.error) return child;
  [[maybe_unused]] const auto status = child.wait();
  return std::unexpected(*std::move(start.error));
}

Result<HeldCommand> HeldCommand::clone(const Command& command, const Identity& identity,
                                       const StartOptions& options) {
  EMUD_ASSIGN(SocketPair gate, make_socket_pair());
  EMUD_ASSIGN(SocketPair failure, make_pipe());
  EMUD_ASSIGN(Child child, clone_child({.flags = options.clone_flags, .cgroup = options.cgroup}));
  if (!child) {
    gate.first.reset();
    failure.first.reset();
    // Above any number that the command's descriptors may take.
    int highest = 3;
    for (const auto& entry : command.fds) highest = std::max(highest, entry.number + 1);
    const int report = ::fcntl(failure.second.get(), F_DUPFD_CLOEXEC, highest);
    const Error error = wait_and_execute(gate.second.get(), command, identity, options);
    [[maybe_unused]] const auto told = write_all(report, "failure pipe", serialize(error));
    ::_exit(125);
  }
  return HeldCommand{std::move(child), std::move(gate.first), std::move(failure.first)};
}

Result<> HeldCommand::start() {
  const char go = 1;
  // It may have failed already, or be gone.
  [[maybe_unused]] const auto sent =
      uninterrupted([&] { return ::send(gate_.get(), &go, sizeof go, MSG_NOSIGNAL); });
  EMUD_ASSIGN(const std::string text, read_all(failure_.get(), "failure pipe", 65536));
  failure_.reset();
  if (text.empty()) return {};
  return std::unexpected(deserialize(text));
}

}  // namespace emud
