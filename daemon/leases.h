// The lease table: who holds what, within which limits; recorded on disk before anything is done.
#pragma once

#include <map>
#include <memory>

#include "daemon/async.h"
#include "daemon/lease.h"
#include "daemon/options.h"
#include "daemon/orphans.h"
#include "sandbox/process.h"

namespace emud {

class Leases {
 public:
  Leases(const asio::any_io_executor& executor, const Options& options, Orphans& orphans);

  // A new lease in state bringing_up, with its directory, record and (where a v2 hierarchy can be
  // written) cgroup path. limit_exceeded, naming the limit, past the configured numbers.
  [[nodiscard]] Result<std::shared_ptr<Lease>> open(LeaseRecord record);

  // Writes the record again after a change.
  [[nodiscard]] Result<> save(const Lease& lease) const;

  // Follows the keeper from now on: when it ends, everything of the lease goes.
  void attach_keeper(std::shared_ptr<Lease> lease, Child keeper);

  // Takes over a keeper that an earlier emud started. False if that process is gone.
  [[nodiscard]] bool adopt(LeaseRecord record, std::vector<HostHold> holds);

  // Ends what is left of the lease: processes by cgroup, its cgroup, its directory, its holds on
  // host handlers. Ending an ended one is success.
  [[nodiscard]] Task<void> end(std::shared_ptr<Lease> lease);

  // The same for those who cannot wait, as destructors; drain() waits for what was posted.
  void post_end(std::shared_ptr<Lease> lease);
  [[nodiscard]] Task<void> drain();

  // By id; nullptr.
  [[nodiscard]] std::shared_ptr<Lease> find(std::string_view id) const;
  [[nodiscard]] std::vector<wire::LeaseInfo> list() const;

  // Completes when the lease has gone from the table.
  [[nodiscard]] Task<void> wait_ended(std::shared_ptr<Lease> lease);

 private:
  [[nodiscard]] Task<void> follow(std::shared_ptr<Lease> lease, Child keeper);
  [[nodiscard]] Task<void> follow_adopted(std::shared_ptr<Lease> lease);

  asio::any_io_executor executor_;
  const Options& options_;
  Orphans& orphans_;
  std::string cgroup_base_;  // empty: no cgroup v2 that can be written
  std::map<std::string, std::shared_ptr<Lease>, std::less<>> leases_;
  int posted_ = 0;
  std::shared_ptr<asio::steady_timer> drained_;
  std::map<std::string, std::shared_ptr<asio::steady_timer>, std::less<>>
      endings_;  // cancelled when the lease is gone
};

}  // namespace emud
