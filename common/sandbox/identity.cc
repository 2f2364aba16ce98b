#include "sandbox/identity.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "base/file.h"

namespace emud {
namespace {

constexpr int capability_end = 64;  // CAP_LAST_CAP is below; unknown ones give EINVAL

// A limit can only be lowered without CAP_SYS_RESOURCE, and it never should be raised:
// getrlimit(2).
Result<> lower_limit(int resource, rlimit wanted) {
  rlimit current{};
  if (::getrlimit(static_cast<__rlimit_resource_t>(resource), &current) != 0) {
    return fail_errno("read resource limit", std::to_string(resource));
  }
  wanted.rlim_max = std::min(wanted.rlim_max, current.rlim_max);
  wanted.rlim_cur = std::min(wanted.rlim_cur, wanted.rlim_max);
  if (::setrlimit(static_cast<__rlimit_resource_t>(resource), &wanted) != 0) {
    return fail_errno("set resource limit", std::to_string(resource));
  }
  return {};
}

Result<> bound_capabilities(std::uint64_t bound) {
  for (int capability = 0; capability < capability_end; ++capability) {
    if ((bound >> capability & 1) != 0) continue;
    if (::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) != 1) continue;
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
      return fail_errno("give up capability", std::to_string(capability));
    }
  }
  return {};
}

// What the kernel refuses here is left as it is: a build that is less considerate than its caller
// is better than none.
void be_considerate(const Identity& identity) {
  if (identity.policy == SCHED_BATCH || identity.policy == SCHED_IDLE) {
    const sched_param none{};
    ::sched_setscheduler(0, identity.policy, &none);
  }
  constexpr int this_process = 1;  // IOPRIO_WHO_PROCESS, linux/ioprio.h
  if (identity.io_priority > 0) ::syscall(SYS_ioprio_set, this_process, 0, identity.io_priority);
  if (identity.oom_score_adjustment > 0) {
    (void)write_control(AT_FDCWD, "/proc/self/oom_score_adj",
                        std::to_string(identity.oom_score_adjustment));
  }
}

}  // namespace

void restore_ignored_signals(const Identity& identity) {
  for (int number = 1; number < NSIG; ++number) {
    if ((identity.ignored_signals >> (number - 1) & 1) != 0) ::signal(number, SIG_IGN);
  }
}

Result<> become(const Identity& identity) {
  ::umask(identity.umask);
  for (const auto& [resource, limit] : identity.limits) EMUD_TRY(lower_limit(resource, limit));
  if (identity.nice != 0) {
    // A lease's limit may have made it nicer already.
    const int own = ::getpriority(PRIO_PROCESS, 0);
    const int nice = own > 0 ? std::max(identity.nice, own) : identity.nice;
    if (::setpriority(PRIO_PROCESS, 0, nice) != 0)
      return fail_errno("set the nice value", std::to_string(nice));
  }
  if (CPU_COUNT(&identity.processors) > 0 &&
      ::sched_setaffinity(0, sizeof identity.processors, &identity.processors) != 0) {
    return fail_errno("set", "the CPU affinity");
  }
  be_considerate(identity);
  EMUD_TRY(bound_capabilities(identity.capability_bound));
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) {
    return fail_errno("clear", "the ambient capabilities");
  }
  if (!identity.keep_groups && ::setgroups(identity.groups.size(), identity.groups.data()) != 0) {
    return fail_errno("set", "the supplementary groups");
  }
  if (::setresgid(identity.gid, identity.gid, identity.gid) != 0) {
    return fail_errno("become group", std::to_string(identity.gid));
  }
  if (::setresuid(identity.uid, identity.uid, identity.uid) != 0) {
    return fail_errno("become user", std::to_string(identity.uid));
  }
  if (identity.no_new_privileges && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return fail_errno("set", "no_new_privs");
  }
  if (identity.personality != 0) ::personality(identity.personality);  // as its caller, who could
  return {};
}

}  // namespace emud
