// Who a command runs as: everything of the caller that limits what it may do (invariant 5).
#pragma once

#include <sched.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "base/result.h"

namespace emud {

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary
  bool keep_groups = false;   // leave them: where setgroups(2) is denied (user_namespaces(7))
  mode_t umask = 022;
  std::vector<std::pair<int, rlimit>> limits;  // RLIMIT_* and values; never raised, only lowered
  std::uint64_t capability_bound = ~0ULL;      // bit n: capability n may be had (capabilities(7))
  bool no_new_privileges = false;              // PR_SET_NO_NEW_PRIVS
  std::uint64_t ignored_signals = 0;           // bit n-1: signal n is ignored, as nohup(1) does
  int nice = 0;
  int policy = 0;                 // SCHED_BATCH or SCHED_IDLE; any other leaves it: sched(7)
  int io_priority = 0;            // of the classes best-effort and idle: ioprio_set(2)
  int oom_score_adjustment = 0;   // above 0: the more, the sooner it is killed (proc(5))
  unsigned long personality = 0;  // personality(2)
  cpu_set_t processors{};         // empty: leave as it is
};

// Turns this process into the identity, for good: capability bounding set, groups, gid, uid,
// limits, umask. A uid other than 0 has no capability afterwards (capabilities(7), "Effect of user
// ID changes"). permission_denied, system.
[[nodiscard]] Result<> become(const Identity& identity);

// Ignores the signals that the caller ignores; everything else keeps its default handler.
void restore_ignored_signals(const Identity& identity);

}  // namespace emud
