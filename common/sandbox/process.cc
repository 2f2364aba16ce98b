#include "sandbox/process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <set>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#include "base/retry.h"

namespace emud {
namespace {

// The pids of this process's Child objects. A child that is just cloned starts with none.
std::set<pid_t>& held_pids() {
  static std::set<pid_t> pids;
  return pids;
}

void reset_signals() {
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &action, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// While a child begins: before it has handlers of its own, it must run none of ours. Returns the
// mask of before.
sigset_t block_all_signals() {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
  return before;
}

// Where a child that shares the memory runs.
class [[nodiscard]] ChildStack {
 public:
  ChildStack()
      : begin_(::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0)) {}
  ChildStack(const ChildStack&) = delete;
  ChildStack& operator=(const ChildStack&) = delete;
  ~ChildStack() {
    if (begin_ == MAP_FAILED) return;
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(begin_, size);  // the child has not returned from its functions
#endif
    ::munmap(begin_, size);
  }

  [[nodiscard]] void* top() const {
    return begin_ == MAP_FAILED ? nullptr : static_cast<char*>(begin_) + size;
  }

 private:
  static constexpr std::size_t size = std::size_t{1} << 20;
  void* begin_;
};

struct Routine {
  void (*function)(void*);
  void* argument;
};

int run_routine(void* given) {
  const Routine routine = *static_cast<Routine*>(given);
  reset_signals();
  routine.function(routine.argument);
  ::_exit(125);
}

}  // namespace

Child::Child(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {
  if (pid > 0) held_pids().insert(pid);
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), pidfd_(std::move(other.pidfd_)) {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(pidfd_, other.pidfd_);
  return *this;
}

Child::~Child() {
  if (pid_ <= 0) return;
  signal(SIGKILL);
  [[maybe_unused]] const auto status = wait();
}

void Child::signal(int number) const {
  if (pid_ > 0) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

std::optional<ExitStatus> Child::wait(int timeout_ms) {
  if (pid_ <= 0) return ExitStatus{};
  if (timeout_ms >= 0) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds{timeout_ms};
    pollfd ended{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    const int count =
        uninterrupted([&] { return ::poll(&ended, 1, milliseconds_until(deadline)); });
    if (count <= 0) return std::nullopt;
  }
  int raw = 0;
  rusage usage{};
  const pid_t reaped = uninterrupted([&] { return ::wait4(pid_, &raw, 0, &usage); });
  const ExitStatus status = reaped == pid_ ? exit_status_of(raw, usage) : ExitStatus{};
  forget();
  return status;
}

void Child::forget() {
  held_pids().erase(pid_);
  pid_ = 0;
  pidfd_.reset();
}

bool Child::is_held(pid_t pid) {
  return held_pids().contains(pid);
}

Result<Child> clone_child(const CloneOptions& options) {
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = options.flags | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  if (options.cgroup >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(options.cgroup);
  }
  const sigset_t before = block_all_signals();
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  const int error = errno;
  if (pid == 0) {
    reset_signals();
    held_pids().clear();
    return Child{};
  }
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return fail_errno(error, "start", "a child process");
  return Child{static_cast<pid_t>(pid), UniqueFd{pidfd}};  // CLONE_PIDFD is close-on-exec
}

Result<Child> clone_to_execute(std::uint64_t flags, void (*routine)(void*), void* argument) {
  const ChildStack stack;
  if (stack.top() == nullptr) return fail_errno("get memory for", "a child process");
  Routine given{routine, argument};
  int pidfd = -1;
  const sigset_t before = block_all_signals();
  const int pid = ::clone(run_routine, stack.top(),
                          static_cast<int>(flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD),
                          &given, &pidfd);
  const int error = errno;
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return fail_errno(error, "start", "a child process");
  return Child{pid, UniqueFd{pidfd}};
}

int milliseconds_until(std::chrono::steady_clock::time_point deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(
      std::clamp(left, std::chrono::milliseconds{0}, std::chrono::milliseconds{3'600'000}).count());
}

void close_other_fds(std::vector<int> keep) {
  std::ranges::sort(keep);
  unsigned first = 3;
  for (const int fd : keep) {
    if (fd < 3) continue;
    const auto kept = static_cast<unsigned>(fd);
    if (kept > first) ::close_range(first, kept - 1, 0);
    first = kept + 1;
  }
  ::close_range(first, ~0U, 0);
}

ExitStatus exit_status_of(int wait_status, const rusage& usage) {
  ExitStatus status;
  status.usage = usage;
  if (WIFEXITED(wait_status)) status.code = WEXITSTATUS(wait_status);
  if (WIFSIGNALED(wait_status)) {
    status.signal = WTERMSIG(wait_status);
    status.core_dumped = WCOREDUMP(wait_status);
  }
  return status;
}

}  // namespace emud
