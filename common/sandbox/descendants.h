// Ending processes without a cgroup: this process is the child subreaper (prctl(2),
// PR_SET_CHILD_SUBREAPER), so whoever loses his parent becomes its child, and all of them can be
// found from /proc.
#pragma once

#include <sys/types.h>

#include <vector>

#include "base/result.h"

namespace emud {

// Makes this process the one that orphaned descendants are given to.
[[nodiscard]] Result<> become_subreaper();

// The children of a process, of all its threads: those it started and those it was given.
[[nodiscard]] std::vector<pid_t> children_of(pid_t process);

// Stops, then kills, a child of this process and all its descendants. What escapes by forking
// meanwhile becomes this process's child when its parent has ended, of which SIGCHLD tells.
void kill_tree(pid_t child);

// Stops, then kills, every descendant of this process, reaping those that become its children,
// until none is left or timeout_ms is over (timed_out). Children in `keep` and what is below them
// stay. Needs /proc of this process's own PID namespace.
[[nodiscard]] Result<> end_descendants(int timeout_ms, const std::vector<pid_t>& keep = {});

}  // namespace emud
