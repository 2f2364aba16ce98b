#include "daemon/peer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <map>
#include <optional>

#include "base/file.h"
#include "base/retry.h"
#include "daemon/users.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77  // Linux 6.5, asm-generic/socket.h
#endif

namespace emud {
namespace {

constexpr std::string_view rootless_hint = "Use `emuctl run --rootless`, which works where you are";

Result<std::vector<gid_t>> read_groups(int socket) {
  std::vector<gid_t> groups(64);
  for (;;) {
    auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0) {
      groups.resize(size / sizeof(gid_t));
      return groups;
    }
    if (errno != ERANGE) return fail_errno("read the groups of", "the client");
    groups.resize(size / sizeof(gid_t));
  }
}

Result<UniqueFd> read_pidfd(int socket, pid_t pid, uid_t uid) {
  int fd = -1;
  socklen_t size = sizeof fd;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) == 0) return UniqueFd{fd};
  if (errno == ESRCH || errno == EINVAL) {
    return fail(Errc::disconnected, "identify", "the client",
                "the process that connected has ended");
  }
  if (errno != ENOPROTOOPT) return fail_errno("identify", "the client");
  // Before Linux 6.5. The process may have ended and its pid be another's: that one must at least
  // be the same user's, or nothing it is asked below may count. (Private leases, which are
  // everyone's, need a newer kernel anyway.)
  const long opened = ::syscall(SYS_pidfd_open, pid, 0);
  if (opened < 0) return fail_errno("identify", "the client");
  UniqueFd pidfd{static_cast<int>(opened)};
  struct stat info{};
  if (::stat(fmt::format("/proc/{}", pid).c_str(), &info) != 0 || info.st_uid != uid) {
    return fail(Errc::permission_denied, "identify", "the client",
                "its process is not the one that connected", "Connect again");
  }
  return pidfd;
}

bool has_ended(int pidfd) {
  pollfd ended{.fd = pidfd, .events = POLLIN, .revents = 0};
  return uninterrupted([&] { return ::poll(&ended, 1, 0); }) != 0;
}

std::string link_target(const std::string& path) {
  char target[256];
  const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
  return length < 0 ? std::string{} : std::string(target, static_cast<std::size_t>(length));
}

// emud never changes its namespaces: they are read once.
const std::string& own_namespace(std::string_view name) {
  static std::map<std::string, std::string, std::less<>> known;
  const auto found = known.find(name);
  if (found != known.end()) return found->second;
  return known.emplace(name, link_target(fmt::format("/proc/self/ns/{}", name))).first->second;
}

// Which directory it is, and by which mount (since Linux 5.8, statx(2); else 0): the same one bound
// to another place has other mounts below. Nothing, with errno, where that cannot be told.
std::optional<std::array<std::uint64_t, 4>> place_of(const std::string& path) {
  struct statx status{};
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_INO | STATX_MNT_ID, &status) != 0) return {};
  return std::array<std::uint64_t, 4>{status.stx_dev_major, status.stx_dev_minor, status.stx_ino,
                                      status.stx_mnt_id};
}

Result<> require_same_place(const PeerCredentials& peer) {
  constexpr std::array names{"mnt", "user", "pid", "net", "ipc", "uts"};
  for (const char* name : names) {
    const std::string& own = own_namespace(name);
    const std::string his = link_target(fmt::format("/proc/{}/ns/{}", peer.pid, name));
    if (his.empty())
      return fail_errno("look at the namespaces of", fmt::format("process {}", peer.pid),
                        rootless_hint);
    if (own != his) {
      return fail(
          Errc::permission_denied, "run for", fmt::format("process {}", peer.pid),
          fmt::format("it is in another {} namespace than emud (a container or sandbox)", name),
          rootless_hint);
    }
  }
  const auto own = place_of("/");
  const auto his = place_of(fmt::format("/proc/{}/root/", peer.pid));
  if (!own || !his) {
    return fail_errno("look at the root directory of", fmt::format("process {}", peer.pid),
                      rootless_hint);
  }
  if (*own != *his) {
    return fail(Errc::permission_denied, "run for", fmt::format("process {}", peer.pid),
                "its root directory is another than emud's (chroot)", rootless_hint);
  }
  return {};
}

// A number of /proc/pid/status (proc(5)); 0 for what is not there.
std::uint64_t hexadecimal(std::string_view status, std::string_view key) {
  std::uint64_t value = 0;
  const auto at = status.find(fmt::format("\n{}:\t", key));
  if (at == std::string_view::npos) return value;
  const char* begin = status.data() + at + key.size() + 3;
  std::from_chars(begin, status.data() + status.size(), value, 16);
  return value;
}

rlim_t limit_value(std::string_view text) {
  rlim_t value = RLIM_INFINITY;  // "unlimited"
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// proc(5), /proc/pid/limits: fixed columns of 26, 21 and 21 characters.
Result<std::vector<std::pair<int, rlimit>>> read_limits(pid_t pid) {
  constexpr std::array<std::pair<std::string_view, int>, 16> names{
      {{"Max cpu time", RLIMIT_CPU},
       {"Max file size", RLIMIT_FSIZE},
       {"Max data size", RLIMIT_DATA},
       {"Max stack size", RLIMIT_STACK},
       {"Max core file size", RLIMIT_CORE},
       {"Max resident set", RLIMIT_RSS},
       {"Max processes", RLIMIT_NPROC},
       {"Max open files", RLIMIT_NOFILE},
       {"Max locked memory", RLIMIT_MEMLOCK},
       {"Max address space", RLIMIT_AS},
       {"Max file locks", RLIMIT_LOCKS},
       {"Max pending signals", RLIMIT_SIGPENDING},
       {"Max msgqueue size", RLIMIT_MSGQUEUE},
       {"Max nice priority", RLIMIT_NICE},
       {"Max realtime priority", RLIMIT_RTPRIO},
       {"Max realtime timeout", RLIMIT_RTTIME}}};
  EMUD_ASSIGN(const std::string text, read_file(fmt::format("/proc/{}/limits", pid)));
  std::vector<std::pair<int, rlimit>> limits;
  for (const auto& [name, resource] : names) {
    const auto at = text.find(fmt::format("\n{} ", name));
    if (at == std::string::npos) continue;
    const std::string_view line = std::string_view{text}.substr(at + 1, 26 + 21 + 21);
    if (line.size() <= 26 + 21) continue;
    limits.emplace_back(
        resource, rlimit{limit_value(line.substr(26, 21)), limit_value(line.substr(26 + 21))});
  }
  return limits;
}

// A number that a file of the process holds; 0 where it cannot be read.
template <class T>
T number_in(pid_t pid, std::string_view file, int base) {
  T value{};
  if (const auto text = read_file(fmt::format("/proc/{}/{}", pid, file)))
    std::from_chars(text->data(), text->data() + text->size(), value, base);
  return value;
}

void read_consideration(pid_t pid, Identity& identity) {
  identity.policy = std::max(::sched_getscheduler(pid), 0) & ~SCHED_RESET_ON_FORK;
  constexpr int one_process = 1;  // IOPRIO_WHO_PROCESS, linux/ioprio.h; a class is above bit 13
  const auto priority = static_cast<int>(::syscall(SYS_ioprio_get, one_process, pid));
  if (priority >> 13 == 2 || priority >> 13 == 3) identity.io_priority = priority;
  identity.oom_score_adjustment = number_in<int>(pid, "oom_score_adj", 10);
  identity.personality = number_in<unsigned long>(pid, "personality", 16);
}

}  // namespace

Result<PeerCredentials> read_peer(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 ||
      credentials.pid <= 0) {
    return fail(Errc::permission_denied, "identify", "the client",
                "the kernel does not say which process it is",
                "Connect from the machine itself, not from another PID namespace");
  }
  PeerCredentials peer{.pid = credentials.pid,
                       .uid = credentials.uid,
                       .gid = credentials.gid,
                       .groups = {},
                       .pidfd = {},
                       .program = {},
                       .payer = payer_of(credentials.uid)};
  EMUD_ASSIGN(peer.groups, read_groups(socket));
  EMUD_ASSIGN(peer.pidfd, read_pidfd(socket, peer.pid, peer.uid));
  auto program = read_file(fmt::format("/proc/{}/comm", peer.pid));
  if (program && !has_ended(peer.pidfd.get())) {
    peer.program = *std::move(program);
    while (peer.program.ends_with('\n')) peer.program.pop_back();
  }
  return peer;
}

bool is_alive(const PeerCredentials& peer) {
  return !has_ended(peer.pidfd.get());
}

Result<Identity> read_identity(const PeerCredentials& peer, mode_t umask) {
  EMUD_TRY(require_same_place(peer));
  EMUD_ASSIGN(const std::string status, read_file(fmt::format("/proc/{}/status", peer.pid)));
  Identity identity;
  identity.uid = peer.uid;
  identity.gid = peer.gid;
  identity.groups = peer.groups;
  identity.umask = umask & 0777;
  EMUD_ASSIGN(identity.limits, read_limits(peer.pid));
  // Root without some capability has the command without it as well; for others only the bounding
  // set counts.
  identity.capability_bound = hexadecimal(status, "CapBnd");
  if (peer.uid == 0) identity.capability_bound &= hexadecimal(status, "CapPrm");
  identity.no_new_privileges = hexadecimal(status, "NoNewPrivs") != 0;
  identity.ignored_signals = hexadecimal(status, "SigIgn");
  errno = 0;
  identity.nice = ::getpriority(PRIO_PROCESS, static_cast<id_t>(peer.pid));
  if (errno != 0) identity.nice = 0;
  ::sched_getaffinity(peer.pid, sizeof identity.processors, &identity.processors);
  read_consideration(peer.pid, identity);
  if (hexadecimal(status, "Seccomp") != 0 && ::prctl(PR_GET_SECCOMP) == 0) {
    return fail(Errc::permission_denied, "run for", fmt::format("process {}", peer.pid),
                "it is confined by a seccomp filter, which emud cannot put on the command",
                rootless_hint);
  }
  if (!is_alive(peer)) {
    return fail(Errc::disconnected, "run for", fmt::format("process {}", peer.pid), "it has ended");
  }
  return identity;
}

}  // namespace emud
