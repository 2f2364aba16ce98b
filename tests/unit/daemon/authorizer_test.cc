#include "daemon/authorizer.h"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <optional>

#include "daemon/users.h"
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

using Outcome = std::optional<Result<AuthorizedCaller>>;

Task<void> decide_into(const PeerCredentials& peer, Privilege privilege, const Options& options,
                       std::string_view what, Outcome& outcome) {
  outcome.emplace(co_await authorize(peer, privilege, options, what));
}

// The coroutine to its end.
Result<AuthorizedCaller> decide(const PeerCredentials& peer, Privilege privilege,
                                const Options& options, std::string_view what) {
  asio::io_context loop{1};
  Outcome outcome;
  asio::co_spawn(loop, decide_into(peer, privilege, options, what, outcome), asio::detached);
  loop.run();
  REQUIRE(outcome.has_value());
  return *std::move(outcome);
}

constexpr uid_t unknown_user = 4'000'000'123;

TEST_CASE("root may do everything, whatever the groups are") {
  CHECK(decide(user(0), Privilege::group, with_group("no-such-group"), "x"));
  CHECK(decide(user(0), Privilege::private_scope, with_group("no-such-group", PrivateAccess::group),
               "x"));
}

TEST_CASE("a member of the group may, anybody else may not") {
  // Debian's `games` user has `games` as its own group; every system has these two.
  const Options options = with_group("games");
  CHECK(decide(user(5), Privilege::group, options, "x"));
  const auto refused = decide(user(2), Privilege::group, options, "io.emud.Manager.Register");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::permission_denied);
  CHECK(refused.error().object == "io.emud.Manager.Register");
  CHECK(refused.error().reason == "user bin is not in group games");
}

TEST_CASE("what cannot be found out is refused") {
  CHECK_FALSE(decide(user(unknown_user), Privilege::group, with_group("games"), "x"));
  CHECK_FALSE(decide(user(5), Privilege::group, with_group("no-such-group"), "x"));
}

TEST_CASE("private leases are for everyone unless the configuration says group") {
  CHECK(decide(user(unknown_user), Privilege::private_scope, with_group("games"), "x"));
  CHECK_FALSE(decide(user(unknown_user), Privilege::private_scope,
                     with_group("games", PrivateAccess::group), "x"));
  CHECK(decide(user(5), Privilege::private_scope, with_group("games", PrivateAccess::group), "x"));
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
  CHECK(peer->payer == peer->uid);
  CHECK_FALSE(peer->program.empty());
  CHECK(is_alive(*peer));
}

TEST_CASE("names and groups out of the local files, without asking anybody") {
  CHECK(display_name(0) == "root");
  CHECK(display_name(5) == "games");
  CHECK(display_name(unknown_user) == "4000000123");
  CHECK(local_group("root") == 0);
  CHECK(local_group("no-such-group") == static_cast<gid_t>(-1));
  CHECK(payer_of(0) == 0);
  CHECK(payer_of(1000) == 1000);
  CHECK(payer_of(unknown_user) == unknown_user);
}

}  // namespace
}  // namespace emud
