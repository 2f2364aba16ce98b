// What one lease may use: by the controllers of its cgroup where there are any, else by limits of
// each process.
//
// The two are not the same, and messages say which it is. RLIMIT_NPROC counts the processes of one
// user in one user namespace, so in the private scope the lease's, in the host scope all of that
// user's on the machine, and nobody counts root's (getrlimit(2)). A limit of memory bounds each
// process, not their sum; it is RLIMIT_DATA and not RLIMIT_AS, because QEMU reserves address space
// that it never fills. A CPU weight below 100 becomes a nice value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sandbox/cgroup.h"

namespace emud {

// 0: no limit.
struct LeaseLimits {
  std::uint64_t processes = 0;
  std::uint64_t memory = 0;      // bytes; swap is not to be had on top
  std::uint64_t cpu_weight = 0;  // 1 to 10000, as cpu.weight; others have 100
  std::uint64_t seconds = 0;     // the keeper sees to it
};

// The stricter of both, each for itself.
[[nodiscard]] LeaseLimits stricter(const LeaseLimits& one, const LeaseLimits& other);

// Writes them into the lease's cgroup (cgroup-v2.rst: pids.max, memory.max, memory.swap.max,
// cpu.weight). Returns what its controllers could not take, which is left for the processes.
[[nodiscard]] Result<LeaseLimits> limit_cgroup(const Cgroup& cgroup, const LeaseLimits& limits);

// Limits this process and all it starts from now on.
[[nodiscard]] Result<> limit_process(const LeaseLimits& limits);

// Which limits stood in the way of what ran in the cgroup (pids.events, memory.events), as
// sentences for people.
[[nodiscard]] std::vector<std::string> limits_that_were_hit(const Cgroup& cgroup);

}  // namespace emud
