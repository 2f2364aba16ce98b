// Ending what a killed keeper left, where neither a cgroup nor parentage tells whose it is: a lease
// that a restarted emud took over, on a machine without cgroup v2.
#pragma once

#include <sys/types.h>

#include "base/unique_fd.h"

namespace emud {

// The user namespace of a process: user_namespaces(7), /proc/pid/ns/user.
[[nodiscard]] Result<UniqueFd> open_user_namespace(pid_t process);

// Kills every process in that user namespace and in those below it (ioctl_ns(2), NS_GET_PARENT),
// again and again until none is left or timeout_ms is over (timed_out). Needs /proc of a PID
// namespace in which they are seen, and the rights of root or of its owner. Blocks.
[[nodiscard]] Result<> end_user_namespace(int user_namespace, int timeout_ms);

}  // namespace emud
