#include "daemon/authorizer.h"

#include <fmt/format.h>

#include "daemon/users.h"

namespace emud {

Task<Result<AuthorizedCaller>> authorize(const PeerCredentials& peer, Privilege privilege,
                                         const Options& options, std::string_view what) {
  const bool open =
      privilege == Privilege::anyone ||
      (privilege == Privilege::private_scope && options.private_access == PrivateAccess::everyone);
  if (open || peer.uid == 0) co_return AuthorizedCaller{peer};
  const auto member = co_await is_member(peer.uid, options.group);
  if (member && *member) co_return AuthorizedCaller{peer};
  if (!member) {
    co_return fail(Errc::permission_denied, "authorize", what, member.error().message(),
                   member.error().hint);
  }
  const std::string name = display_name(peer.uid);
  co_return fail(Errc::permission_denied, "authorize", what,
                 fmt::format("user {} is not in group {}", name, options.group),
                 fmt::format("`sudo usermod -aG {} {}` counts at once{}", options.group, name,
                             options.private_access == PrivateAccess::everyone
                                 ? "; `emuctl run` with a private scope needs no group"
                                 : "; `emuctl run --rootless` asks nobody"));
}

}  // namespace emud
