// Starting the caller's command: its descriptors, its working directory, its environment, its PATH.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "sandbox/identity.h"
#include "sandbox/process.h"

namespace emud {

struct CommandFd {
  int number;  // what it is called in the command
  UniqueFd fd;
};

struct Command {
  std::vector<std::string> arguments;    // arguments[0] is looked up in PATH unless it has a slash
  std::vector<std::string> environment;  // NAME=value
  std::vector<CommandFd> fds;
  std::optional<int>
      terminal;  // the number of the descriptor that becomes its controlling terminal
};

// Puts every descriptor at its number (whatever numbers they have now) and marks all of them
// inheritable. Everything else stays close-on-exec.
[[nodiscard]] Result<> install_fds(std::vector<CommandFd> fds);

// A descriptor of the command's terminal, which becomes the controlling terminal of this process:
// it leads a session that has none (tty_ioctl(4), TIOCSCTTY). None where the command has no
// terminal.
[[nodiscard]] Result<UniqueFd> take_over_terminal(const Command& command);

// Replaces this process by the command (execve(2) along the PATH of the command's own environment,
// as execvp(3) does, without its fallback to a shell). Returns only the failure: command_not_found
// or command_not_executable.
[[nodiscard]] Error execute(const std::vector<std::string>& arguments,
                            const std::vector<std::string>& environment);

// Starts the command in a child. In order: `enter` (a second user namespace, for rootless; may be
// empty), terminal, descriptors, identity, execve. The calling process waits until execve has
// succeeded or any step failed; the error is the step's. own_group: the command leads a process
// group of its own, in the foreground of its terminal.
struct StartOptions {
  int cgroup = -1;
  std::uint64_t clone_flags = 0;
  Result<> (*enter)(const Identity&) = nullptr;
  bool own_group = true;
  bool keep_identity = false;  // the process is already who it should be
};
[[nodiscard]] Result<Child> start_command(Command command, const Identity& identity,
                                          const StartOptions& options);

}  // namespace emud
