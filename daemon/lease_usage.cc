#include "daemon/lease_usage.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <sstream>
#include <vector>

#include "base/file.h"
#include "sandbox/descendants.h"

namespace emud {
namespace {

constexpr int depth_limit = 8;  // of cgroups that builds make below the lease's

// The processes of a cgroup and of those below it.
void collect(int directory, int depth, std::size_t budget, std::vector<pid_t>& pids) {
  if (const auto text = read_file(directory, "cgroup.procs")) {
    std::istringstream numbers{*text};
    for (pid_t pid = 0; pids.size() <= budget && numbers >> pid;) pids.push_back(pid);
  }
  if (depth == 0 || pids.size() > budget) return;
  const auto names = list_directory(directory, ".");
  if (!names) return;
  for (const auto& name : *names) {
    if (const auto child = open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
      collect(child->get(), depth - 1, budget, pids);
  }
}

void collect_descendants(pid_t process, std::size_t budget, std::vector<pid_t>& pids) {
  for (const pid_t child : children_of(process)) {
    if (pids.size() > budget) return;
    pids.push_back(child);
    collect_descendants(child, budget, pids);
  }
}

// "key number" lines: cpu.stat.
std::optional<std::int64_t> value_of(const std::string& text, std::string_view key) {
  std::istringstream words{text};
  std::string name;
  for (std::int64_t number = 0; words >> name >> number;) {
    if (name == key) return number;
  }
  return std::nullopt;
}

// proc(5), /proc/pid/statm: size resident shared ..., in pages.
std::int64_t own_memory(pid_t pid) {
  const auto text = read_file(fmt::format("/proc/{}/statm", pid));
  if (!text) return 0;
  std::istringstream numbers{*text};
  std::int64_t size = 0;
  std::int64_t resident = 0;
  std::int64_t shared = 0;
  numbers >> size >> resident >> shared;
  return (resident - shared) * ::sysconf(_SC_PAGESIZE);
}

// proc(5), /proc/pid/stat: utime and stime are the 14th and 15th field, in clock ticks.
std::int64_t cpu_time_of(pid_t pid) {
  const auto text = read_file(fmt::format("/proc/{}/stat", pid));
  if (!text) return 0;
  std::istringstream fields{text->substr(text->rfind(')') + 1)};
  std::string field;
  for (int number = 3; number < 14; ++number) fields >> field;
  std::int64_t user = 0;
  std::int64_t system = 0;
  fields >> user >> system;
  return (user + system) * 1'000'000 / ::sysconf(_SC_CLK_TCK);
}

LeaseUsage usage_of_processes(const std::vector<pid_t>& pids, bool with_time, std::size_t& budget) {
  LeaseUsage usage;
  if (pids.size() > budget) {
    budget = 0;
    return usage;
  }
  budget -= pids.size();
  usage.processes = static_cast<std::int64_t>(pids.size());
  usage.memory = 0;
  if (with_time) usage.cpu_time = 0;
  for (const pid_t pid : pids) {
    *usage.memory += own_memory(pid);
    if (with_time) *usage.cpu_time += cpu_time_of(pid);
  }
  return usage;
}

}  // namespace

LeaseUsage usage_of(const LeaseRecord& lease, std::size_t& budget) {
  std::vector<pid_t> pids;
  const auto cgroup = lease.cgroup.empty()
                          ? Result<UniqueFd>{std::unexpected(Error{})}
                          : open_at(AT_FDCWD, lease.cgroup, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!cgroup) {
    if (lease.keeper == 0) return {};
    collect_descendants(lease.keeper, budget, pids);
    return usage_of_processes(pids, true, budget);
  }
  collect(cgroup->get(), depth_limit, budget, pids);
  LeaseUsage usage = usage_of_processes(pids, false, budget);
  if (const auto text = read_file(cgroup->get(), "cpu.stat"))
    usage.cpu_time = value_of(*text, "usage_usec");
  if (const auto text = read_file(cgroup->get(), "memory.current"))
    usage.memory = std::atoll(text->c_str());
  return usage;
}

LeaseUsage LeaseUsages::of(const LeaseRecord& lease) {
  using namespace std::chrono_literals;
  constexpr auto remembered = 1s;
  constexpr std::size_t processes_a_round = 2000;
  const auto now = std::chrono::steady_clock::now();
  if (now - started_ >= remembered) {
    started_ = now;
    budget_ = processes_a_round;
    known_.clear();
  }
  const auto found = known_.find(lease.id);
  if (found != known_.end()) return found->second;
  return known_.emplace(lease.id, usage_of(lease, budget_)).first->second;
}

}  // namespace emud
