#include "daemon/authorizer.h"

#include <sys/socket.h>
#include <unistd.h>

#include "support/catch.h"

namespace emud {
namespace {

PeerCredentials user(uid_t uid) {
  PeerCredentials peer;
  peer.uid = uid;
  return peer;
}

Options with_group(std::string group, PrivateAccess access = PrivateAccess::everyone) {
  Options options;
  options.group = std::move(group);
  options.private_access = access;
  return options;
}

constexpr uid_t unknown_user = 4'000'000'123;

TEST_CASE("root may do everything, whatever the groups are") {
  CHECK(authorize(user(0), Privilege::group, with_group("no-such-group"), "x"));
  CHECK(authorize(user(0), Privilege::private_scope,
                  with_group("no-such-group", PrivateAccess::group), "x"));
}

TEST_CASE("a member of the group may, anybody else may not") {
  // Debian's `games` user has `games` as its own group; every system has these two.
  const Options options = with_group("games");
  CHECK(authorize(user(5), Privilege::group, options, "x"));
  const auto refused = authorize(user(2), Privilege::group, options, "io.emud.Manager.Register");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::permission_denied);
  CHECK(refused.error().object == "io.emud.Manager.Register");
  CHECK(refused.error().reason == "user bin is not in group games");
}

TEST_CASE("what cannot be found out is refused") {
  CHECK_FALSE(authorize(user(unknown_user), Privilege::group, with_group("games"), "x"));
  CHECK_FALSE(authorize(user(5), Privilege::group, with_group("no-such-group"), "x"));
}

TEST_CASE("private leases are for everyone unless the configuration says group") {
  CHECK(authorize(user(unknown_user), Privilege::private_scope, with_group("games"), "x"));
  CHECK_FALSE(authorize(user(unknown_user), Privilege::private_scope,
                        with_group("games", PrivateAccess::group), "x"));
  CHECK(
      authorize(user(5), Privilege::private_scope, with_group("games", PrivateAccess::group), "x"));
}

TEST_CASE("the kernel says who the peer is") {
  auto pair = make_socket_pair();
  REQUIRE(pair);
  const auto peer = read_peer(pair->first.get());
  REQUIRE(peer);
  CHECK(peer->pid == ::getpid());
  CHECK(peer->uid == ::getuid());
  CHECK(peer->gid == ::getgid());
  CHECK(peer->pidfd);
}

}  // namespace
}  // namespace emud
