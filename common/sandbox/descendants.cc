#include "sandbox/descendants.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <sstream>
#include <vector>

#include "base/file.h"

namespace emud {
namespace {

using Clock = std::chrono::steady_clock;

// proc(5), /proc/pid/task/tid/children. The processes are this one's descendants, so only they can reap them or
// their parents; a pid read here can be reused only after its parent reaped it, and then it is a descendant's as well
// or gone. Stopping first keeps a fork bomb from outrunning us.
void signal_below(pid_t process, int number) {
  const std::string task = fmt::format("/proc/{}/task", process);
  std::istringstream threads;
  const auto children = read_file(fmt::format("{}/{}/children", task, process));
  if (!children) return;
  std::istringstream pids{*children};
  for (pid_t child = 0; pids >> child;) {
    ::kill(child, SIGSTOP);
    signal_below(child, number);
    ::kill(child, number);
  }
}

// Reaps whoever has ended. false: there is no child left.
bool reap() {
  for (;;) {
    const pid_t reaped = ::waitpid(-1, nullptr, WNOHANG | __WALL);
    if (reaped == 0) return true;
    if (reaped < 0 && errno != EINTR) return false;
  }
}

}  // namespace

Result<> become_subreaper() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return fail_errno("become", "child subreaper");
  return {};
}

Result<> end_descendants(int timeout_ms) {
  const auto deadline = Clock::now() + std::chrono::milliseconds{timeout_ms};
  sigset_t child_signal;
  sigset_t before;
  ::sigemptyset(&child_signal);
  ::sigaddset(&child_signal, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child_signal, &before);
  Result<> result;
  while (reap()) {
    signal_below(::getpid(), SIGKILL);
    if (!reap()) break;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) {
      result = fail(Errc::timed_out, "end", "the processes of the lease", "some did not end when killed");
      break;
    }
    // SIGCHLD comes for every child that ends, ours by birth or by orphanage: sigtimedwait(2).
    const timespec wait{.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
    ::sigtimedwait(&child_signal, nullptr, &wait);
  }
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return result;
}

}  // namespace emud
