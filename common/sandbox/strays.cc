#include "sandbox/strays.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <vector>

#include "base/file.h"
#include "base/retry.h"

namespace emud {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int deepest_namespace = 33;  // user_namespaces(7): at most 32 are nested

bool is_same_file(int left, const struct stat& right) {
  struct stat info{};
  return ::fstat(left, &info) == 0 && info.st_dev == right.st_dev && info.st_ino == right.st_ino;
}

bool is_at_or_below(UniqueFd place, const struct stat& wanted) {
  for (int depth = 0; place && depth < deepest_namespace; ++depth) {
    if (is_same_file(place.get(), wanted)) return true;
    place.reset(::ioctl(place.get(), NS_GET_PARENT));  // EPERM above the caller's own
  }
  return false;
}

// Kills those that are in it now: their pidfds.
std::vector<UniqueFd> kill_all(const struct stat& wanted) {
  std::vector<UniqueFd> killed;
  const auto names = list_directory(AT_FDCWD, "/proc");
  if (!names) return killed;
  for (const auto& name : *names) {
    if (!std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; })) continue;
    const pid_t process = std::stoi(name);
    // The descriptor holds the process; only then is looked where it is.
    UniqueFd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, process, 0))};
    if (!pidfd) continue;
    pollfd ended{pidfd.get(), POLLIN, 0};
    if (uninterrupted([&] { return ::poll(&ended, 1, 0); }) != 0) continue;  // a zombie
    auto place = open_user_namespace(process);
    if (!place || !is_at_or_below(*std::move(place), wanted)) continue;
    ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
    killed.push_back(std::move(pidfd));
  }
  return killed;
}

}  // namespace

Result<UniqueFd> open_user_namespace(pid_t process) {
  return open_at(AT_FDCWD, fmt::format("/proc/{}/ns/user", process), O_RDONLY);
}

Result<> end_user_namespace(int user_namespace, int timeout_ms) {
  struct stat wanted{};
  if (::fstat(user_namespace, &wanted) != 0) return fail_errno("look at", "a user namespace");
  const auto deadline = Clock::now() + std::chrono::milliseconds{timeout_ms};
  for (;;) {
    const auto killed = kill_all(wanted);
    if (killed.empty()) return {};
    for (const UniqueFd& pidfd : killed) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
      pollfd ended{pidfd.get(), POLLIN, 0};
      if (left <= 0 || ::poll(&ended, 1, static_cast<int>(left)) == 0) {
        return fail(Errc::timed_out, "end", "the processes of a lease",
                    "some did not end when killed");
      }
    }
  }
}

}  // namespace emud
