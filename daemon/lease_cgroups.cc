#include "daemon/lease_cgroups.h"

#include "base/log.h"
#include "daemon/leases.h"
#include "sandbox/controllers.h"

namespace emud {

void hand_down_controllers(const Options& options) {
  const auto base = own_cgroup();
  if (!base) return;  // Leases says so
  const auto enabled = enable_controllers(*base);
  if (!enabled) return log(enabled.error());
  const LeaseLimits& limits = options.lease_limits;
  if (!*enabled && (limits.memory > 0 || limits.cpu_weight > 0)) {
    log(Level::notice,
        "emud's cgroup is not delegated to it (Delegate=yes in emud.service): lease-memory and "
        "lease-cpu-weight hold for each process");
  }
}

void renew_limits(const Leases& leases) {
  for (const auto& info : leases.list()) {
    const auto lease = leases.find(info.id);
    if (!lease || lease->record.cgroup.empty()) continue;
    const auto cgroup = Cgroup::open(lease->record.cgroup);
    if (!cgroup) continue;  // it has ended
    if (const auto limited = limit_cgroup(*cgroup, lease->record.limits); !limited)
      log(limited.error());
  }
}

void take_back_controllers() {
  const auto base = own_cgroup();
  if (!base) return;
  if (const auto taken = disable_controllers(*base); !taken) log(taken.error());
}

}  // namespace emud
