// Who may do what. Fails closed: whatever cannot be found out is refused.
#pragma once

#include "daemon/async.h"
#include "daemon/options.h"
#include "daemon/peer.h"

namespace emud {

enum class Privilege {
  anyone,
  private_scope,  // as configured: everyone, or the group
  group,          // root and members of the group
};

// A caller that was found to have the privilege. Only authorize() makes one.
class AuthorizedCaller {
 public:
  [[nodiscard]] const PeerCredentials& peer() const { return *peer_; }

 private:
  friend Task<Result<AuthorizedCaller>> authorize(const PeerCredentials&, Privilege, const Options&,
                                                  std::string_view);
  explicit AuthorizedCaller(const PeerCredentials& peer) : peer_(&peer) {}
  const PeerCredentials* peer_;
};

// permission_denied, naming the user, what he asked for and the group that may. The group's members
// are asked of the system's databases each time (is_member), so a change counts at once; where
// these do not answer the caller is refused. Peer, options and what must outlive the coroutine.
[[nodiscard]] Task<Result<AuthorizedCaller>> authorize(const PeerCredentials& peer,
                                                       Privilege privilege, const Options& options,
                                                       std::string_view what);

}  // namespace emud
