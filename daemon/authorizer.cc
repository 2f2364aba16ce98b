#include "daemon/authorizer.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>

#include <algorithm>

namespace emud {
namespace {

bool is_member(uid_t uid, const std::string& group) {
  ::group group_entry{};
  ::group* group_found = nullptr;
  std::vector<char> group_buffer(65536);
  if (::getgrnam_r(group.c_str(), &group_entry, group_buffer.data(), group_buffer.size(),
                   &group_found) != 0 ||
      group_found == nullptr) {
    return false;
  }
  passwd user_entry{};
  passwd* user_found = nullptr;
  char user_buffer[4096];
  if (::getpwuid_r(uid, &user_entry, user_buffer, sizeof user_buffer, &user_found) != 0 ||
      user_found == nullptr) {
    return false;
  }
  int count = 64;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  while (::getgrouplist(user_found->pw_name, user_found->pw_gid, groups.data(), &count) < 0) {
    if (static_cast<std::size_t>(count) <= groups.size()) return false;
    groups.resize(static_cast<std::size_t>(count));
  }
  groups.resize(static_cast<std::size_t>(count));
  return std::ranges::find(groups, group_found->gr_gid) != groups.end();
}

}  // namespace

Result<AuthorizedCaller> authorize(const PeerCredentials& peer, Privilege privilege,
                                   const Options& options, std::string_view what) {
  const bool open =
      privilege == Privilege::anyone ||
      (privilege == Privilege::private_scope && options.private_access == PrivateAccess::everyone);
  if (open || peer.uid == 0 || is_member(peer.uid, options.group)) return AuthorizedCaller{peer};
  return fail(Errc::permission_denied, "authorize", what,
              fmt::format("user {} is not in group {}", user_name(peer.uid), options.group),
              fmt::format("`sudo usermod -aG {} {}`, then log in again; `emuctl run` with a "
                          "private scope needs no group",
                          options.group, user_name(peer.uid)));
}

}  // namespace emud
