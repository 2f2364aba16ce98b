// Child processes by pidfd (pidfd_open(2)): no pid can be reused under us.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/unique_fd.h"

namespace emud {

// How a child ended (waitid(2)).
struct ExitStatus {
  int code = 0;    // exit status, or 0 when a signal ended it
  int signal = 0;  // the signal that ended it, else 0
  bool core_dumped = false;
  rusage usage{};  // of the child and the descendants it waited for
};

// A child of this process. Killed and reaped when its owner goes without having waited.
class [[nodiscard]] Child {
 public:
  Child() = default;
  Child(pid_t pid, UniqueFd pidfd);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  [[nodiscard]] pid_t pid() const { return pid_; }  // 0: none
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }
  [[nodiscard]] explicit operator bool() const { return pid_ > 0; }

  // A second descriptor of the same process.
  [[nodiscard]] Result<UniqueFd> duplicate_pidfd() const { return pidfd_.duplicate(); }

  // pidfd_send_signal(2). A child that has ended already is no error.
  void signal(int number) const;

  // Waits for its end, at most timeout_ms (-1: for ever). none: it did not end in time.
  [[nodiscard]] std::optional<ExitStatus> wait(int timeout_ms = -1);

  // Gives the child up without killing it. The pidfd goes as well.
  void forget();

  // Whether some Child of this process stands for that pid: everybody else below it came by
  // orphanage.
  [[nodiscard]] static bool is_held(pid_t pid);

 private:
  pid_t pid_ = 0;
  UniqueFd pidfd_;
};

struct CloneOptions {
  std::uint64_t flags = 0;  // CLONE_NEWUSER and friends
  int cgroup =
      -1;  // start in this cgroup directory (CLONE_INTO_CGROUP, Linux >= 5.7); -1: the parent's
};

// clone3(2) as fork(2) does it: in the child the result's pid is 0. Only for processes with one
// thread: nothing runs pthread_atfork handlers. Signals are blocked around it, so the child starts
// before any handler can run in it; the child gets default handlers and an empty signal mask.
[[nodiscard]] Result<Child> clone_child(const CloneOptions& options = {});

// A child that shares this process's memory, and holds it up until it has called execve(2) or ended
// (CLONE_VM and CLONE_VFORK, clone(2)): nothing is copied, which is most of what a start costs.
// `routine` runs in it on a stack of its own, with default signal handlers and an empty mask. What
// it changes in memory stays changed here; descriptors, ids, limits and handlers are its own. Only
// for a child that nobody can kill who could not kill this process as well: it may die in the
// middle of an allocation. flags: CLONE_NEWUSER and friends.
[[nodiscard]] Result<Child> clone_to_execute(std::uint64_t flags, void (*routine)(void*),
                                             void* argument);

// A timeout for poll(2): the milliseconds until then, rounded up, from 0 to an hour.
[[nodiscard]] int milliseconds_until(std::chrono::steady_clock::time_point deadline);

// Closes every descriptor from 3 on that is not in `keep` (close_range(2)).
void close_other_fds(std::vector<int> keep);

// What wait4(2) said, taken apart.
[[nodiscard]] ExitStatus exit_status_of(int wait_status, const rusage& usage);

}  // namespace emud
