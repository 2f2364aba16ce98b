#include "daemon/fetcher/confine.h"

#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include "emulator/fetcher.h"

namespace emud::fetcher {
namespace {

#ifdef __SANITIZE_ADDRESS__
// The sanitizers' shadow memory takes terabytes, and they test addresses by means of a pipe.
constexpr rlim_t address_space = RLIM_INFINITY;
constexpr rlim_t descriptors = RLIM_INFINITY;
#else
constexpr rlim_t address_space = rlim_t{512} << 20;
constexpr rlim_t descriptors = 0;
#endif

// struct landlock_ruleset_attr of Linux 6.12: older headers lack the later members, and older
// kernels take the larger structure as long as those are zero (landlock_create_ruleset(2)).
struct Ruleset {
  std::uint64_t handled_access_fs;
  std::uint64_t handled_access_net;
  std::uint64_t scoped;
};

// Bits 0 to last: every access right up to the one that this version of Landlock brought last.
constexpr std::uint64_t all_up_to(unsigned last) {
  return (std::uint64_t{2} << last) - 1;
}

// What each version can handle, Documentation/userspace-api/landlock.rst.
Ruleset ruleset_for(long version) {
  Ruleset rules{all_up_to(12), 0, 0};                         // 1: up to MAKE_SYM
  if (version >= 2) rules.handled_access_fs = all_up_to(13);  // REFER
  if (version >= 3) rules.handled_access_fs = all_up_to(14);  // TRUNCATE
  if (version >= 4) rules.handled_access_net = all_up_to(1);  // BIND_TCP, CONNECT_TCP
  if (version >= 5) rules.handled_access_fs = all_up_to(15);  // IOCTL_DEV
  if (version >= 6) rules.scoped = all_up_to(1);              // abstract sockets, signals
  return rules;
}

// A ruleset without rules: what it handles is forbidden everywhere.
Result<> enter_landlock() {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 0 && (errno == ENOSYS || errno == EOPNOTSUPP)) return {};
  if (version < 0) return fail_errno("ask for", "Landlock");
  const Ruleset rules = ruleset_for(version);
  const long fd = ::syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
  if (fd < 0) return fail_errno("make", "a Landlock ruleset");
  const long done = ::syscall(SYS_landlock_restrict_self, fd, 0);
  const int error = errno;
  ::close(static_cast<int>(fd));
  if (done != 0) return fail_errno(error, "enter", "a Landlock ruleset");
  return {};
}

Result<> lower_limit(__rlimit_resource resource, rlim_t value) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return fail_errno("read", "a resource limit");
  limit.rlim_cur = limit.rlim_max = std::min(value, limit.rlim_max);
  if (::setrlimit(resource, &limit) != 0) return fail_errno("lower", "a resource limit");
  return {};
}

}  // namespace

Result<> confine() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("set", "no_new_privs");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail_errno("forbid", "tracing");
  EMUD_TRY(enter_landlock());
  EMUD_TRY(lower_limit(RLIMIT_CORE, 0));
  EMUD_TRY(lower_limit(RLIMIT_AS, address_space));
  EMUD_TRY(lower_limit(RLIMIT_FSIZE, max_member_size));
  EMUD_TRY(lower_limit(RLIMIT_NPROC, 0));
  EMUD_TRY(lower_limit(RLIMIT_NOFILE, descriptors));
  return {};
}

}  // namespace emud::fetcher
