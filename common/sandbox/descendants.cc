#include "sandbox/descendants.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <sstream>
#include <vector>

#include "base/file.h"

namespace emud {
namespace {

using Clock = std::chrono::steady_clock;

// Reaps whoever has ended. Returns whether there are children left.
bool reap() {
  pid_t reaped = 0;
  do {
    reaped = ::waitpid(-1, nullptr, WNOHANG | __WALL);
  } while (reaped > 0 || (reaped < 0 && errno == EINTR));
  return reaped == 0;
}

}  // namespace

// proc(5), /proc/pid/task/tid/children: each thread has a file of the children that it started.
std::vector<pid_t> children_of(pid_t process) {
  std::vector<pid_t> children;
  const std::string tasks = fmt::format("/proc/{}/task", process);
  const auto threads = list_directory(AT_FDCWD, tasks);
  if (!threads) return children;
  for (const auto& thread : *threads) {
    const auto text = read_file(fmt::format("{}/{}/children", tasks, thread));
    if (!text) continue;
    std::istringstream pids{*text};
    for (pid_t child = 0; pids >> child;) children.push_back(child);
  }
  return children;
}

// They are this process's descendants, so only it can reap them, or their parents can; a pid read
// here can be reused only after its parent reaped it, and then it is a descendant's as well or
// gone. Stopping first keeps a fork bomb from outrunning us.
void kill_tree(pid_t child) {
  ::kill(child, SIGSTOP);
  for (const pid_t below : children_of(child)) kill_tree(below);
  ::kill(child, SIGKILL);
}

Result<> become_subreaper() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
    return fail_errno("become", "child subreaper");
  return {};
}

Result<> end_descendants(int timeout_ms, const std::vector<pid_t>& keep) {
  const auto deadline = Clock::now() + std::chrono::milliseconds{timeout_ms};
  sigset_t child_signal;
  sigset_t before;
  ::sigemptyset(&child_signal);
  ::sigaddset(&child_signal, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child_signal, &before);
  Result<> result;
  for (;;) {
    if (!reap()) break;
    bool left = false;
    for (const pid_t child : children_of(::getpid())) {
      if (std::ranges::find(keep, child) != keep.end()) continue;
      kill_tree(child);
      left = true;
    }
    if (!left) break;
    const auto rest =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (rest <= 0) {
      result = fail(Errc::timed_out, "end", "the processes of the lease",
                    "some did not end when killed");
      break;
    }
    // SIGCHLD comes for every child that ends, ours by birth or by orphanage: sigtimedwait(2).
    const timespec wait{.tv_sec = rest / 1000, .tv_nsec = rest % 1000 * 1000000};
    ::sigtimedwait(&child_signal, nullptr, &wait);
  }
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return result;
}

}  // namespace emud
