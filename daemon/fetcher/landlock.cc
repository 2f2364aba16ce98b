#include "daemon/fetcher/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "base/unique_fd.h"

namespace emud::fetcher {
namespace {

// struct landlock_ruleset_attr of Linux 6.12: older headers lack the later members, and older
// kernels take the larger structure as long as those are zero (landlock_create_ruleset(2)).
struct Ruleset {
  std::uint64_t handled_access_fs;
  std::uint64_t handled_access_net;
  std::uint64_t scoped;
};

constexpr std::uint64_t bind_tcp = 1;     // LANDLOCK_ACCESS_NET_BIND_TCP
constexpr std::uint64_t connect_tcp = 2;  // LANDLOCK_ACCESS_NET_CONNECT_TCP

// Bits 0 to last: every access right up to the one that this version of Landlock brought last.
constexpr std::uint64_t all_up_to(unsigned last) {
  return (std::uint64_t{2} << last) - 1;
}

// What each version can handle.
Ruleset ruleset_for(long version, Network network) {
  Ruleset rules{all_up_to(12), 0, 0};                         // 1: up to MAKE_SYM
  if (version >= 2) rules.handled_access_fs = all_up_to(13);  // REFER
  if (version >= 3) rules.handled_access_fs = all_up_to(14);  // TRUNCATE
  if (version >= 4) {
    rules.handled_access_net = network == Network::client ? bind_tcp : bind_tcp | connect_tcp;
  }
  if (version >= 5) rules.handled_access_fs = all_up_to(15);  // IOCTL_DEV
  if (version >= 6) rules.scoped = all_up_to(1);              // abstract sockets, signals
  return rules;
}

Result<> allow_reading(int ruleset, const char* path) {
  const UniqueFd file{::open(path, O_PATH | O_CLOEXEC)};
  if (!file) return {};  // nothing to read there
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) return fail_errno("examine", path);
  landlock_path_beneath_attr rule{};
  rule.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
  if (S_ISDIR(status.st_mode)) rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
  rule.parent_fd = file.get();
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) {
    return fail_errno("allow reading", path);
  }
  return {};
}

}  // namespace

Result<> enter_landlock(std::span<const char* const> readable, Network network) {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 0 && (errno == ENOSYS || errno == EOPNOTSUPP)) return {};
  if (version < 0) return fail_errno("ask for", "Landlock");
  const Ruleset rules = ruleset_for(version, network);
  const UniqueFd fd{
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0))};
  if (!fd) return fail_errno("make", "a Landlock ruleset");
  for (const char* path : readable) EMUD_TRY(allow_reading(fd.get(), path));
  if (::syscall(SYS_landlock_restrict_self, fd.get(), 0) != 0) {
    return fail_errno("enter", "a Landlock ruleset");
  }
  return {};
}

}  // namespace emud::fetcher
