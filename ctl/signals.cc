#include "ctl/signals.h"

#include <unistd.h>

#include <array>
#include <utility>

namespace emud::ctl {
namespace {

constexpr std::array passed_on{SIGINT,  SIGTERM,  SIGHUP,  SIGQUIT, SIGUSR1,
                               SIGUSR2, SIGWINCH, SIGCONT, SIGTSTP};

bool is_ignored(int signal) {
  struct sigaction action{};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

Result<SignalSource> SignalSource::open(bool shares_terminal) {
  sigset_t watched;
  sigemptyset(&watched);
  for (const int signal : passed_on) {
    // A blocked signal is queued even if it is ignored (signal(7)), so those are not blocked at
    // all.
    if (!is_ignored(signal)) sigaddset(&watched, signal);
  }
  UniqueFd fd{::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!fd) return fail_errno("create", "a signal descriptor");
  sigset_t blocked = watched;
  sigaddset(&blocked, SIGPIPE);
  if (shares_terminal) {
    sigaddset(&blocked, SIGTTIN);
    sigaddset(&blocked, SIGTTOU);
  }
  sigset_t before;
  if (::sigprocmask(SIG_BLOCK, &blocked, &before) != 0) return fail_errno("block", "signals");
  return SignalSource{std::move(fd), before};
}

SignalSource::SignalSource(SignalSource&& other) noexcept
    : fd_(std::move(other.fd_)),
      before_(other.before_),
      owns_mask_(std::exchange(other.owns_mask_, false)) {}

SignalSource::~SignalSource() {
  if (!owns_mask_) return;
  // A SIGPIPE that came while it was blocked was told as EPIPE already.
  sigset_t pipe_only;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  constexpr timespec at_once{};
  while (::sigtimedwait(&pipe_only, nullptr, &at_once) > 0) {
  }
  ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<signalfd_siginfo> SignalSource::next() {
  signalfd_siginfo information{};
  if (::read(fd_.get(), &information, sizeof information) !=
      static_cast<ssize_t>(sizeof information)) {
    return std::nullopt;
  }
  return information;
}

void SignalSource::stop_self(int signal, bool whole_group) {
  const int stop = signal == SIGSTOP ? SIGTSTP : signal;
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, stop);
  sigset_t mask;
  // Sent while it is blocked, it becomes one with a key's that is pending: we stop once.
  ::kill(whole_group ? 0 : ::getpid(), stop);
  ::sigprocmask(SIG_UNBLOCK, &only, &mask);  // stops here
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
}

bool asks_to_end(int signal) {
  return signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT;
}

}  // namespace emud::ctl
