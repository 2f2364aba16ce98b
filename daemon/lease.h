// One lease: what it promises, to whom, and what has to go when it ends.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/host_handlers.h"
#include "sandbox/cgroup.h"
#include "sandbox/limits.h"
#include "wire/messages.h"

namespace emud {

struct LeaseRecord {
  std::string id;
  std::string scope;  // "private" or "host"
  std::vector<std::string> architectures;
  std::vector<std::string> emulators;  // their digests
  uid_t uid = 0;
  gid_t gid = 0;
  uid_t payer = 0;  // whose limits it counts in (PeerCredentials)
  pid_t pid = 0;    // the client that asked
  std::uint64_t pid_start =
      0;  // in clock ticks since boot, tells a reused pid (proc(5), stat field 22)
  bool granted =
      false;         // the client knows of it: of Acquire, it may come back for it after a restart
  pid_t keeper = 0;  // 0: none (yet)
  std::uint64_t keeper_start = 0;
  std::string cgroup;  // path; empty: none
  // Directories that go with it, maybe large; some may not have been made.
  std::vector<std::string> temporaries;          // of the lease's nix-daemon
  std::vector<std::string> command_temporaries;  // of user `uid`, wherever he wants them
  std::string purpose;                           // for people: the command or what Acquire said
  std::int64_t started = 0;                      // seconds since 1970
  LeaseLimits limits;                            // of its cgroup, for the next emud
  std::int64_t ends = 0;  // the same, when its time is over; 0: it has no limit
  bool stuck = false;     // an earlier emud could not end its processes
};

// The record's file in the lease's runtime directory, for recovery after emud died.
[[nodiscard]] std::string to_json(const LeaseRecord& record);
[[nodiscard]] Result<LeaseRecord> lease_record_from_json(std::string_view text);

// "lease 0123abcd of user 1000", for messages.
[[nodiscard]] std::string name_of(const LeaseRecord& record);

// Until its time is over; 0 where it is, or where it has no limit.
[[nodiscard]] std::chrono::seconds seconds_left(const LeaseRecord& record);

// `cancelled`: what a client is told whose lease was ended while it was brought up.
struct Lease;
[[nodiscard]] Failure was_ended(const Lease& lease);

// The start time of a process in clock ticks; 0 if there is none of that pid, or it has ended and
// is only not reaped yet.
[[nodiscard]] Result<std::uint64_t> process_start_time(pid_t pid);

// reconnecting: its holder has yet to come back to an emud that was started again. stuck: some of
// its processes do not end though they were killed (they wait in the kernel, for the server of a
// file system perhaps); it holds no handler any more, and ends when they do.
enum class LeaseState { bringing_up, ready, reconnecting, ending, stuck };

[[nodiscard]] std::string_view to_string(LeaseState state);

struct Lease {
  explicit Lease(const asio::any_io_executor& executor)
      : changed(executor), patience(executor), time_is_over(executor) {}

  LeaseRecord record;
  LeaseState state = LeaseState::bringing_up;
  std::string directory;        // <runtime>/leases/<id>
  Child keeper;                 // of this emud's
  UniqueFd adopted_keeper;      // pidfd of an earlier emud's
  UniqueFd user_namespace;      // of an adopted keeper's, where there is no cgroup
  UniqueFd holder_pidfd;        // of Acquire: the process that asked
  std::vector<HostHold> holds;  // host scope: the handlers it keeps up
  AsyncEvent changed;           // notified when it begins to end, is stuck, has left the table

  [[nodiscard]] wire::LeaseInfo info() const;

  [[nodiscard]] bool is_ending() const {
    return state == LeaseState::ending || state == LeaseState::stuck;
  }
  // Completes when somebody ends it.
  [[nodiscard]] Task<void> begins_to_end();

  // The pidfd of its keeper; -1: there is none (any more).
  [[nodiscard]] int keeper_fd() const { return keeper ? keeper.pidfd() : adopted_keeper.get(); }

  // Held by a client itself and not by a keeper.
  [[nodiscard]] bool is_acquired() const { return record.keeper == 0 && record.granted; }

  std::unique_ptr<FdWaiter> waiter;  // whoever waits for the end of its keeper or holder
  asio::steady_timer patience;       // how much longer it may take to come back, or to end
  asio::steady_timer time_is_over;   // of one that is held by a client
};

}  // namespace emud
