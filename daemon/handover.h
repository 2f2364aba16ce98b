// What one emud leaves to the next: descriptors in systemd's file descriptor store, and whether
// there will be a next one at once.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "daemon/async.h"

namespace emud {

// What systemd passed at start: sd_listen_fds_with_names(3).
struct PassedFds {
  std::vector<UniqueFd> sockets;
  std::map<std::string, UniqueFd, std::less<>>
      holders;  // lease id -> pidfd of the process that holds it
};

// Takes them out of the environment; to be called once, before anything is started.
[[nodiscard]] PassedFds take_passed_fds();

// Has systemd keep a descriptor of the lease's holder for the next emud (sd_notify(3), FDSTORE=1;
// the unit needs FileDescriptorStoreMax=), and drop it. Nothing without systemd, and nothing
// depends on it: the record has the holder's pid and start time.
void store_holder(std::string_view lease, int pidfd);
void drop_holder(std::string_view lease);

// Whether systemd ends emud to start it again at once: its unit's job is a restart
// (org.freedesktop.systemd1(5), Unit.Job and Job.JobType). false without systemd.
[[nodiscard]] Task<bool> is_being_restarted();

}  // namespace emud
