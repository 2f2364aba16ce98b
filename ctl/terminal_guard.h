// What gives the caller's terminal its modes back when emuctl was killed with SIGKILL.
#pragma once

#include <termios.h>

#include "base/unique_fd.h"
#include "sandbox/process.h"

namespace emud::ctl {

// A process beside emuctl, in a session of its own, that waits for emuctl's end. It goes with this
// object and does nothing then.
class TerminalGuard {
 public:
  TerminalGuard() = default;  // guards nothing

  // modes: what the terminal gets if emuctl is gone and has left it raw (cfmakeraw(3)). Whoever
  // reads the terminal by then (a shell's line editor) has set modes of his own, and they stay.
  [[nodiscard]] static Result<TerminalGuard> start(int terminal, const termios& modes);

 private:
  TerminalGuard(Child process, UniqueFd life)
      : process_(std::move(process)), life_(std::move(life)) {}
  Child process_;
  UniqueFd life_;  // a pipe's writing end: closed by the kernel when emuctl ends
};

}  // namespace emud::ctl
