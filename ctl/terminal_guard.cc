#include "ctl/terminal_guard.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>

namespace emud::ctl {
namespace {

bool is_raw(int terminal) {
  termios now{};
  return ::tcgetattr(terminal, &now) == 0 && (now.c_lflag & (ICANON | ECHO | ISIG)) == 0;
}

// Not a job of the terminal's: signals to emuctl's process group do not reach it, and setting modes
// from here stops nobody (tty_ioctl(4) and setpgid(2) are about the session's own terminal).
[[noreturn]] void guard(int terminal, int life, const termios& modes) {
  ::setsid();
  ::prctl(PR_SET_NAME, "emuctl-guard");
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fd != terminal) ::close(fd);
  }
  close_other_fds({terminal, life});
  char byte = 0;
  while (::read(life, &byte, 1) < 0 && errno == EINTR) {
  }
  if (is_raw(terminal)) ::tcsetattr(terminal, TCSANOW, &modes);
  ::_exit(0);
}

}  // namespace

Result<TerminalGuard> TerminalGuard::start(int terminal, const termios& modes) {
  EMUD_ASSIGN(SocketPair life, make_pipe());
  EMUD_ASSIGN(Child process, clone_child());
  if (!process) {
    life.second.reset();
    guard(terminal, life.first.get(), modes);
  }
  return TerminalGuard{std::move(process), std::move(life.second)};
}

}  // namespace emud::ctl
