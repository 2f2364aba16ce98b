#include "sandbox/limits.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <sstream>

#include "base/file.h"

namespace emud {
namespace {

std::uint64_t stricter(std::uint64_t one, std::uint64_t other) {
  if (one == 0 || other == 0) return std::max(one, other);
  return std::min(one, other);
}

// Sets a control file that is there only where its controller is; the limit is 0 afterwards then.
Result<> set_control(const Cgroup& cgroup, const char* file, std::uint64_t& limit) {
  if (limit == 0 || ::faccessat(cgroup.fd(), file, W_OK, 0) != 0) return {};
  EMUD_TRY(write_control(cgroup.fd(), file, std::to_string(limit)));
  limit = 0;
  return {};
}

Result<> set_limit(__rlimit_resource_t resource, std::uint64_t wanted, const char* name) {
  if (wanted == 0) return {};
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) return fail_errno("read resource limit", name);
  limit.rlim_max = std::min<rlim_t>(limit.rlim_max, wanted);
  limit.rlim_cur = std::min(limit.rlim_cur, limit.rlim_max);
  if (::setrlimit(resource, &limit) != 0) return fail_errno("set resource limit", name);
  return {};
}

// The number behind `key` in a file of "key number" lines; 0 for none.
std::uint64_t counted(const Cgroup& cgroup, const char* file, std::string_view key) {
  if (::faccessat(cgroup.fd(), file, R_OK, 0) != 0) return 0;  // its controller is not there
  const auto text = read_file(cgroup.fd(), file);
  if (!text) return 0;
  std::istringstream words{*text};
  std::string name;
  for (std::uint64_t number = 0; words >> name >> number;) {
    if (name == key) return number;
  }
  return 0;
}

}  // namespace

LeaseLimits stricter(const LeaseLimits& one, const LeaseLimits& other) {
  return {.processes = stricter(one.processes, other.processes),
          .memory = stricter(one.memory, other.memory),
          .cpu_weight = stricter(one.cpu_weight, other.cpu_weight),
          .seconds = stricter(one.seconds, other.seconds)};
}

Result<LeaseLimits> limit_cgroup(const Cgroup& cgroup, const LeaseLimits& limits) {
  LeaseLimits left = limits;
  EMUD_TRY(set_control(cgroup, "pids.max", left.processes));
  EMUD_TRY(set_control(cgroup, "memory.max", left.memory));
  // Where memory is limited swap would only hide it; the file is missing without CONFIG_SWAP.
  if (limits.memory != 0 && left.memory == 0 &&
      ::faccessat(cgroup.fd(), "memory.swap.max", W_OK, 0) == 0) {
    EMUD_TRY(write_control(cgroup.fd(), "memory.swap.max", "0"));
  }
  EMUD_TRY(set_control(cgroup, "cpu.weight", left.cpu_weight));
  return left;
}

Result<> limit_process(const LeaseLimits& limits) {
  EMUD_TRY(set_limit(RLIMIT_NPROC, limits.processes, "RLIMIT_NPROC"));
  EMUD_TRY(set_limit(RLIMIT_DATA, limits.memory, "RLIMIT_DATA"));
  if (limits.cpu_weight == 0 || limits.cpu_weight >= 100) return {};
  // Each step of niceness is a factor of 1.25 in weight: sched(7), kernel/sched/core.c.
  const auto steps = static_cast<int>(
      std::lround(std::log(100.0 / static_cast<double>(limits.cpu_weight)) / std::log(1.25)));
  errno = 0;
  const int own = ::getpriority(PRIO_PROCESS, 0);
  if (::setpriority(PRIO_PROCESS, 0, std::min(std::max(own, 0) + steps, 19)) != 0)
    return fail_errno("set the nice value of", "the lease");
  return {};
}

std::vector<std::string> limits_that_were_hit(const Cgroup& cgroup) {
  std::vector<std::string> notes;
  if (const auto count = counted(cgroup, "pids.events", "max"); count > 0) {
    notes.push_back(fmt::format(
        "the lease was at its limit of processes: {} forks failed; raise lease-processes in the "
        "configuration of emud, or --limit-processes",
        count));
  }
  if (const auto count = counted(cgroup, "memory.events", "oom_kill"); count > 0) {
    notes.push_back(fmt::format(
        "the lease was at its limit of memory: the kernel killed {} processes; raise lease-memory "
        "in the configuration of emud, or --limit-memory",
        count));
  }
  return notes;
}

}  // namespace emud
