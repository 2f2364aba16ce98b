#include "daemon/orphans.h"

#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>
#include <vector>

#include "base/log.h"
#include "sandbox/descendants.h"
#include "sandbox/process.h"

namespace emud {
namespace {

// A child that has ended and is not reaped yet.
bool has_exited(pid_t child) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == child;
}

}  // namespace

Orphans::Orphans(const asio::any_io_executor& executor)
    : executor_(executor),
      are_all_ours_(::getpid() != 1 && children_of(::getpid()).empty()),
      swept_(executor) {}

// What is below a process becomes emud's child when that ends, before it is reaped.
void Orphans::sweep() {
  const auto children = children_of(::getpid());
  Parents ended = std::exchange(reaped_lately_, {});
  std::vector<pid_t> left;
  for (const pid_t child : children) {
    if (Child::is_held(child)) {
      if (has_exited(child)) ended.insert(child);
      continue;
    }
    if (::waitpid(child, nullptr, WNOHANG | __WALL) == child) {
      if (auto known = orphans_.extract(child)) reaped_lately_.merge(known.mapped());
      continue;
    }
    left.push_back(child);
  }
  ended.insert(reaped_lately_.begin(), reaped_lately_.end());
  std::map<pid_t, Parents> known = std::exchange(orphans_, {});
  for (const pid_t child : left) {
    if (!are_all_ours_) continue;
    kill_tree(child);
    const auto found = known.find(child);
    orphans_.emplace(child, found == known.end() ? ended : std::move(found->second));
  }
  swept_.notify();
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
    sweep();
    co_await waiter.readable();
    signalfd_siginfo taken[8];
    while (::read(signals.get(), taken, sizeof taken) > 0) {
    }
  }
}

bool Orphans::has_orphans_of(pid_t parent) const {
  return std::ranges::any_of(orphans_,
                             [&](const auto& entry) { return entry.second.contains(parent); });
}

Task<bool> Orphans::wait_until_gone(pid_t parent, asio::steady_timer::time_point deadline) {
  sweep();
  while (has_orphans_of(parent)) {
    if (asio::steady_timer::clock_type::now() >= deadline) co_return false;
    co_await swept_.wait_until(deadline);
  }
  co_return true;
}

}  // namespace emud
