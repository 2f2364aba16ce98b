// Starting a lease's keeper.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "daemon/async.h"
#include "daemon/services.h"
#include "sandbox/keeper.h"

namespace emud {

struct StartedKeeper {
  std::unique_ptr<AsyncChannel> report;
  UniqueFd client;  // the client's end of the keeper's channel
  std::string lease, scope;
  std::map<std::string, std::string, std::less<>>
      digests;  // architecture -> emulator, for remembering proofs

  void remember(const Proofs& proofs, const std::string& architecture) const;
};

// Makes the lease's cgroup, clones the keeper, which is the lease's from then on, and records its
// pid. The plan's report and channel are made here.
[[nodiscard]] Result<StartedKeeper> start_keeper(Services& services, Lease& lease, KeeperPlan plan);

// Decides how Nix inside the lease builds, and what the user should know. An error if the user's
// name cannot be found out.
[[nodiscard]] Task<Result<void>> set_up_nix(KeeperPlan& plan, Lease& lease,
                                            const std::vector<const Architecture*>& architectures,
                                            std::vector<std::string>& notes);

// Ends the lease unless it was released to somebody else.
class [[nodiscard]] LeaseGuard {
 public:
  LeaseGuard(Leases& leases, std::shared_ptr<Lease> lease)
      : leases_(leases), lease_(std::move(lease)) {}
  LeaseGuard(const LeaseGuard&) = delete;
  LeaseGuard& operator=(const LeaseGuard&) = delete;
  ~LeaseGuard();

  Lease* operator->() const { return lease_.get(); }
  Lease& operator*() const { return *lease_; }
  [[nodiscard]] std::shared_ptr<Lease> release() { return std::move(lease_); }

 private:
  Leases& leases_;
  std::shared_ptr<Lease> lease_;
};

}  // namespace emud
