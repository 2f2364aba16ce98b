// What a lease's processes use, for `emuctl status`.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>

#include "daemon/lease.h"

namespace emud {

struct LeaseUsage {
  std::optional<std::int64_t> processes;
  std::optional<std::int64_t> cpu_time;  // microseconds
  std::optional<std::int64_t> memory;    // bytes
};

// Remembers for a second what it has looked up and looks at a bounded number of processes in that
// time, so that whoever asks for the status all the time costs little.
class LeaseUsages {
 public:
  [[nodiscard]] LeaseUsage of(const LeaseRecord& lease);

 private:
  std::chrono::steady_clock::time_point started_;
  std::size_t budget_ = 0;
  std::map<std::string, LeaseUsage, std::less<>> known_;
};

// From the lease's cgroup: cpu.stat, and memory.current where it has the controller, else what the
// processes have to themselves (resident less shared, proc(5) statm). Without a cgroup: of the
// keeper and its descendants. `budget`: how many processes may still be looked at, over all leases;
// with none left the values that need them are left out.
[[nodiscard]] LeaseUsage usage_of(const LeaseRecord& lease, std::size_t& budget);

}  // namespace emud
