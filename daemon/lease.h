// One lease: what it promises, to whom, and what has to go when it ends.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/host_handlers.h"
#include "sandbox/cgroup.h"
#include "wire/messages.h"

namespace emud {

struct LeaseRecord {
  std::string id;
  std::string scope;  // "private" or "host"
  std::vector<std::string> architectures;
  uid_t uid = 0;
  pid_t pid = 0;     // the client that asked
  pid_t keeper = 0;  // 0: none (yet)
  std::uint64_t keeper_start =
      0;                  // in clock ticks since boot, tells a reused pid (proc(5), stat field 22)
  std::string cgroup;     // path; empty: none
  std::string temporary;  // directory of builders' files, maybe large; empty: none
  std::string purpose;    // for people: the command or what Acquire said
  std::int64_t started = 0;  // seconds since 1970
};

// The record's file in the lease's runtime directory, for recovery after emud died.
[[nodiscard]] std::string to_json(const LeaseRecord& record);
[[nodiscard]] Result<LeaseRecord> lease_record_from_json(std::string_view text);

// The start time of a process in clock ticks; 0 if there is none of that pid, or it has ended and
// is only not reaped yet.
[[nodiscard]] std::uint64_t process_start_time(pid_t pid);

enum class LeaseState { bringing_up, ready, ending };

struct Lease {
  LeaseRecord record;
  LeaseState state = LeaseState::bringing_up;
  std::string directory;        // <runtime>/leases/<id>
  UniqueFd keeper_pidfd;        // to end it from outside
  std::vector<HostHold> holds;  // host scope: the handlers it keeps up

  [[nodiscard]] wire::LeaseInfo info() const;
};

}  // namespace emud
