// Ending processes without a cgroup: this process is the child subreaper (prctl(2), PR_SET_CHILD_SUBREAPER), so whoever
// loses his parent becomes its child, and all of them can be found from /proc.
#pragma once

#include "base/result.h"

namespace emud {

// Makes this process the one that orphaned descendants are given to.
[[nodiscard]] Result<> become_subreaper();

// Stops, then kills, every descendant of this process, reaping those that become its children, until none is left or
// timeout_ms is over (timed_out). Needs /proc of this process's own PID namespace.
[[nodiscard]] Result<> end_descendants(int timeout_ms);

}  // namespace emud
