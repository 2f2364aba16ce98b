// The signals emuctl passes on, read from a descriptor.
#pragma once

#include <sys/signalfd.h>

#include <csignal>
#include <optional>

#include "base/unique_fd.h"

namespace emud::ctl {

// While it lives, SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT and SIGTSTP
// are read with next() instead of acting on the process, and SIGPIPE is blocked. Those that were
// ignored at the start (nohup(1), a shell's background job) stay ignored. Of two, the inner one
// reads them.
class SignalSource {
 public:
  // shares_terminal: SIGTTIN and SIGTTOU are blocked as well. They go to a whole process group, and
  // when the command in it is seen to be stopped, stop_self() is to stop once, as it does for
  // SIGTSTP.
  [[nodiscard]] static Result<SignalSource> open(bool shares_terminal = false);
  SignalSource(SignalSource&& other) noexcept;
  SignalSource& operator=(SignalSource&&) = delete;
  ~SignalSource();  // puts the mask of before back

  [[nodiscard]] int fd() const { return fd_.get(); }

  // The next signal that has arrived; none if there is none.
  [[nodiscard]] std::optional<signalfd_siginfo> next();

  // Stops this process, or its whole process group, as the signal (SIGTSTP, SIGTTIN, SIGTTOU;
  // SIGSTOP counts as SIGTSTP) does by default, and returns when it was continued. The kernel does
  // not stop an orphaned process group (setpgid(2)): then it returns at once.
  void stop_self(int signal, bool whole_group);

 private:
  SignalSource(UniqueFd fd, const sigset_t& before) : fd_(std::move(fd)), before_(before) {}
  UniqueFd fd_;
  sigset_t before_;
  bool owns_mask_ = true;
};

// Whether a signal asks a program to end: SIGINT, SIGTERM, SIGHUP, SIGQUIT.
[[nodiscard]] bool asks_to_end(int signal);

}  // namespace emud::ctl
