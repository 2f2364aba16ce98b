#include "daemon/orphans.h"

#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

#include "base/log.h"
#include "sandbox/descendants.h"
#include "sandbox/process.h"

namespace emud {

Orphans::Orphans(const asio::any_io_executor& executor)
    : executor_(executor),
      are_all_ours_(::getpid() != 1 && children_of(::getpid()).empty()),
      gone_(executor, asio::steady_timer::time_point::max()) {}

bool Orphans::sweep() const {
  bool left = false;
  for (const pid_t child : children_of(::getpid())) {
    if (Child::is_held(child) || ::waitpid(child, nullptr, WNOHANG | __WALL) == child) continue;
    if (!are_all_ours_) continue;
    kill_tree(child);
    left = true;
  }
  return left;
}

// SIGCHLD comes for each child that ends, and an orphan has become a child before its parent's end
// is told: nothing is missed.
Task<void> Orphans::run() {
  sigset_t child_ended;
  ::sigemptyset(&child_ended);
  ::sigaddset(&child_ended, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child_ended, nullptr);
  const UniqueFd signals{::signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!signals) {
    log(fail_errno("create", "a signal descriptor").error());
    co_return;
  }
  FdWaiter waiter{executor_, signals.get()};
  for (;;) {
    if (!sweep()) gone_.cancel();
    co_await waiter.readable();
    signalfd_siginfo taken[8];
    while (::read(signals.get(), taken, sizeof taken) > 0) {
    }
  }
}

Task<void> Orphans::wait_until_gone() {
  boost::system::error_code ignored;
  while (sweep()) co_await gone_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace emud
