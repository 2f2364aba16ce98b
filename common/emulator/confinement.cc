#include "emulator/confinement.h"

#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace emud {
namespace {

// landlock_create_ruleset(2): ENOSYS or EOPNOTSUPP where the kernel has none, or has it disabled.
bool has_landlock() {
  return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 0;
}

// seccomp(2), Linux >= 4.14.
bool has_seccomp_filters() {
  const std::uint32_t action = SECCOMP_RET_ERRNO;
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

}  // namespace

std::string missing_confinement() {
  std::string text;
  if (!has_landlock()) {
    text =
        "no Landlock (Linux 5.13 with CONFIG_SECURITY_LANDLOCK, and landlock in lsm=): "
        "emud-fetcher may do with files what every user may";
  }
  if (!has_seccomp_filters()) {
    if (!text.empty()) text += "; ";
    text += "no seccomp filters (CONFIG_SECCOMP_FILTER): emud-fetcher could use every system call";
  }
  return text;
}

}  // namespace emud
