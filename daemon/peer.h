// Who is at the other end of a connection, from the kernel and never from what he says (unix(7):
// SO_PEERCRED, SO_PEERPIDFD, SO_PEERGROUPS).
#pragma once

#include <memory>
#include <string>

#include "base/unique_fd.h"
#include "sandbox/identity.h"

namespace emud {

struct PeerCredentials {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  UniqueFd pidfd;       // of the process that connected: its pid cannot be reused under us
  std::string program;  // what it calls itself (comm, proc(5)); a process may call itself anything
  uid_t payer = 0;      // whose limits it counts in: the owner of a subordinate uid (subuid(5))
};

// permission_denied if the kernel does not say who it is.
[[nodiscard]] Result<PeerCredentials> read_peer(int socket);

// Whether the process that connected still runs.
[[nodiscard]] bool is_alive(const PeerCredentials& peer);

// What the peer is limited to, for a command that runs as it (invariant 5). Everything is read from
// /proc/<pid> and believed only if the pidfd says afterwards that the process still lives. Refused,
// each with its reason: a peer in other namespaces or under another root (permission_denied,
// pointing to --rootless), one under a seccomp filter that emud is not under.
[[nodiscard]] Result<Identity> read_identity(const PeerCredentials& peer, mode_t umask);

}  // namespace emud
