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
// inheritable. Everything else stays close-on-exec, unless its number is now another's: nobody may
// close the given ones any more.
[[nodiscard]] Result<> install_fds(const std::vector<CommandFd>& fds);

// A descriptor of the command's terminal, which becomes the controlling terminal of this process:
// it leads a session that has none (tty_ioctl(4), TIOCSCTTY). None where the command has no
// terminal.
[[nodiscard]] Result<UniqueFd> take_over_terminal(const Command& command);

// Replaces this process by the command (execve(2) along the PATH of the command's own environment,
// as execvp(3) does, without its fallback to a shell). Returns only the failure: command_not_found
// or command_not_executable.
[[nodiscard]] Error execute(const std::vector<std::string>& arguments,
                            const std::vector<std::string>& environment);

// How a command is started. In order: `enter`, terminal, descriptors, identity, execve.
struct StartOptions {
  int cgroup = -1;
  std::uint64_t clone_flags = 0;
  Result<> (*enter)(const Identity&) = nullptr;  // a second user namespace, for rootless
  bool own_group = true;       // it leads a process group, in the foreground of its terminal
  bool keep_identity = false;  // the process is already who it should be
};

// Starts a command that runs as whoever runs this process, in no cgroup: in a child that shares the
// memory until execve(2) (clone_to_execute). The error is that of the step that failed.
[[nodiscard]] Result<Child> start_own_command(const Command& command, const Identity& identity,
                                              const StartOptions& options);

// A command whose process is there and waits: the cloning, a third of a start, is done while
// whoever asks for the start is still being told that he may.
class [[nodiscard]] HeldCommand {
 public:
  // Clones the child. The command's descriptors stay the caller's. If this object goes before
  // start(), the child ends by itself.
  [[nodiscard]] static Result<HeldCommand> clone(const Command& command, const Identity& identity,
                                                 const StartOptions& options);

  [[nodiscard]] Child take_child() { return std::move(child_); }

  // Lets it go on. Waits until execve has succeeded or any step failed; the error is the step's,
  // and the child ends. A child that was killed before is no error: whoever waits for it sees how
  // it ended.
  [[nodiscard]] Result<> start();

 private:
  HeldCommand(Child child, UniqueFd gate, UniqueFd failure)
      : child_(std::move(child)), gate_(std::move(gate)), failure_(std::move(failure)) {}

  Child child_;
  UniqueFd gate_;     // a byte lets the child go on
  UniqueFd failure_;  // end of file means that execve succeeded
};

}  // namespace emud
