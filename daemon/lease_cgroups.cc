#include "daemon/lease_cgroups.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/leases.h"
#include "daemon/options.h"
#include "sandbox/controllers.h"

namespace emud {
namespace {

std::string directory_of(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}

// The note that the controllers are handed down and cannot stay: for who cleans up after a crash.
std::string must_take_back(const Options& options) {
  return options.paths.runtime + "/controllers";
}

// Without it limits are those of processes: a lease does not fail for that.
void pass_on(const Cgroup& user) {
  if (const auto passed = pass_controllers_on(user); !passed) log(passed.error());
}

// not_found: the keeper of the user's last lease has removed the user's meanwhile.
Result<Cgroup> try_to_create(const std::string& path) {
  EMUD_ASSIGN(const Cgroup user, Cgroup::create(directory_of(path)));
  const auto passed = pass_controllers_on(user);
  auto lease = Cgroup::create(path);
  if (lease && !passed) log(passed.error());
  return lease;
}

}  // namespace

Result<Cgroup> create_lease_cgroup(const std::string& path) {
  constexpr int most_attempts = 100;  // each is lost to a lease that ends at that very moment
  for (int attempt = 1;; ++attempt) {
    auto lease = try_to_create(path);
    const bool has_gone = !lease && lease.error().code == Errc::not_found;
    if (!has_gone || attempt == most_attempts) return lease;
  }
}

bool hand_down_controllers(const Options& options) {
  const std::string note = must_take_back(options);
  ::unlink(note.c_str());
  const bool can_stay = is_in_daemon_cgroup();
  const auto base = own_cgroup();
  if (!base) return false;  // Leases says so
  const auto enabled = enable_controllers(*base);
  if (!enabled) {
    log(enabled.error());
    return false;
  }
  const LeaseLimits& limits = options.lease_limits;
  if (!*enabled && (limits.memory > 0 || limits.cpu_weight > 0)) {
    log(Level::notice,
        "emud's cgroup is not delegated to it (Delegate=yes in emud.service): lease-memory and "
        "lease-cpu-weight hold for each process");
  }
  if (can_stay || !controllers_hinder_start(*base)) return false;
  const UniqueFd file{::open(note.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)};
  if (!file) log(fail_errno("create", note).error());
  return true;
}

void renew_limits(const Leases& leases) {
  for (const auto& info : leases.list()) {
    const auto lease = leases.find(info.id);
    if (!lease || lease->record.cgroup.empty()) continue;
    const auto cgroup = Cgroup::open(lease->record.cgroup);
    if (!cgroup) continue;  // it has ended
    if (const auto user = Cgroup::open(directory_of(lease->record.cgroup)); user) pass_on(*user);
    if (const auto limited = limit_cgroup(*cgroup, lease->record.limits); !limited)
      log(limited.error());
  }
}

void take_back_controllers(const Options& options) {
  const std::string note = must_take_back(options);
  if (::access(note.c_str(), F_OK) != 0) return;
  ::unlink(note.c_str());
  const auto base = own_cgroup();
  if (!base) return;
  if (const auto taken = disable_controllers(*base); !taken) log(taken.error());
}

}  // namespace emud
