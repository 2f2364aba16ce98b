// The lease table: who holds what, within which limits; recorded on disk before anything is done.
#pragma once

#include <map>
#include <memory>

#include "daemon/activity.h"
#include "daemon/async.h"
#include "daemon/events.h"
#include "daemon/lease.h"
#include "daemon/options.h"
#include "daemon/orphans.h"
#include "daemon/peer.h"
#include "sandbox/process.h"

namespace emud {

class Leases {
 public:
  Leases(const asio::any_io_executor& executor, const Options& options, Orphans& orphans,
         Events& events, Activity& activity);

  // A new lease in state bringing_up, with its directory, record and (where a v2 hierarchy can be
  // written) cgroup path. limit_exceeded, naming the limit, past the configured numbers.
  [[nodiscard]] Result<std::shared_ptr<Lease>> open(LeaseRecord record);

  // Writes the record again after a change.
  [[nodiscard]] Result<> save(const Lease& lease) const;

  // Follows the lease's keeper from now on: when it ends, everything of the lease goes.
  void attach_keeper(std::shared_ptr<Lease> lease);

  // The lease is the client's now (Acquire): it ends with that process, if not before with the
  // connection.
  [[nodiscard]] Result<> attach_holder(const std::shared_ptr<Lease>& lease,
                                       const PeerCredentials& holder);

  // Ends what is left of the lease: its keeper, processes by cgroup, its cgroup, its directory, its
  // holds on host handlers. Completes when it has left the table, or soon with timed_out: it is
  // stuck then, and leaves the table when it can be ended. It goes on without the one who waits.
  // Ending an ended one is success.
  [[nodiscard]] Task<Result<void>> end(std::shared_ptr<Lease> lease);

  // The same for those who cannot wait, as destructors; drain() waits for what was posted.
  void post_end(std::shared_ptr<Lease> lease);
  [[nodiscard]] Task<void> drain() { return endings_.drain(); }

  // Asks the lease's keeper to end: SIGTERM to the command, SIGKILL to everything after kill-after.
  // A keeper that does not do that soon is killed; what it kept goes with it (end()).
  void post_end_keeper(std::shared_ptr<Lease> lease);

  // By id; nullptr.
  [[nodiscard]] std::shared_ptr<Lease> find(std::string_view id) const;
  [[nodiscard]] std::vector<wire::LeaseInfo> list() const;
  // The leases, of either scope, whose handlers use the emulator of that digest, by id.
  [[nodiscard]] std::vector<std::string> users_of(std::string_view digest) const;

  // Completes when the lease has gone from the table; timed_out if it is stuck.
  [[nodiscard]] Task<Result<void>> wait_ended(std::shared_ptr<Lease> lease);

  // Whether there is a lease that a next emud could not just take over.
  [[nodiscard]] bool need_emud() const;

  // ---- recovery (lease_recovery.cc)

  // Takes over a lease of an earlier emud: one whose keeper runs, or one whose holder lives and is
  // given reconnect-seconds to come back. holder: its pidfd, if that was kept; else it is looked up
  // by pid and start time. nullptr if that process is gone.
  [[nodiscard]] std::shared_ptr<Lease> adopt(const LeaseRecord& record, UniqueFd holder);

  // To be called once clients can connect: from then on counts the time that holders have.
  void expect_holders();

  // Posts the end of what an earlier emud left of a lease that cannot be taken over.
  void discard(LeaseRecord record);

  // The same for cgroups that an earlier emud of this runtime directory made for leases of which
  // there is no record any more.
  void discard_stale_cgroups();

  // Gives a lease back to the process that held it before emud was restarted. not_found if there is
  // no such lease (any more), permission_denied for anybody else.
  [[nodiscard]] Result<std::shared_ptr<Lease>> resume(std::string_view id,
                                                      const PeerCredentials& peer) const;

  // The connection that holds the lease has ended: so does the lease, unless emud itself hangs up
  // to leave it to the next one.
  [[nodiscard]] Task<void> connection_ended(std::shared_ptr<Lease> lease);

  // From now on leases of connections are left to the next emud.
  void hand_over() { handing_over_ = true; }
  // Ends every lease that is not a keeper's.
  void end_acquired();

 private:
  void tell_ready(const Lease& lease);
  [[nodiscard]] Task<void> follow_process(std::shared_ptr<Lease> lease, int pidfd);
  [[nodiscard]] Task<void> end_in_time(std::shared_ptr<Lease> lease);
  [[nodiscard]] Task<void> insist(std::shared_ptr<Lease> lease);
  [[nodiscard]] Task<void> await_holder(std::shared_ptr<Lease> lease);

  // lease_end.cc
  [[nodiscard]] Task<void> do_end(std::shared_ptr<Lease> lease);
  [[nodiscard]] Task<Result<void>> try_to_end(std::shared_ptr<Lease> lease,
                                              std::chrono::milliseconds limit);
  [[nodiscard]] Task<Result<void>> end_processes(Lease& lease,
                                                 asio::steady_timer::time_point deadline);
  [[nodiscard]] Task<Result<void>> end_keeper(Lease& lease,
                                              asio::steady_timer::time_point deadline);
  [[nodiscard]] Task<Result<void>> clear(std::shared_ptr<Lease> lease);
  void become_stuck(Lease& lease, const Error& error);
  [[nodiscard]] Task<void> go_on_ending(std::shared_ptr<Lease> lease);

  asio::any_io_executor executor_;
  const Options& options_;
  Orphans& orphans_;
  Events& events_;
  Activity& activity_;
  std::string cgroup_prefix_;  // of users'; empty: no cgroup v2 that can be written
  std::map<std::string, std::shared_ptr<Lease>, std::less<>> leases_;
  Posted endings_;  // each takes a limited time
  bool handing_over_ = false;
};

}  // namespace emud
