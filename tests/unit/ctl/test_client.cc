#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/client.h"
#include "ctl/fake_peer.h"
#include "ctl/run_session.h"
#include "support/catch.h"
#include "wire/errors.h"

namespace emud::ctl {
namespace {

using test::FakePeer;

constexpr int short_limit_ms = 100;
constexpr int long_limit_ms = 60'000;  // for a busy machine

// What a call to a peer that plays like this fails with.
Error failure_of(const std::function<void(UniqueFd)>& play, int limit_ms = short_limit_ms) {
  FakePeer peer{play};
  Client client{peer.socket(), "/run/some socket", limit_ms};
  const auto answer = client.call("io.emud.Manager.GetStatus", "{}");
  REQUIRE_FALSE(answer);
  return answer.error();
}

TEST_CASE("client: a peer that answers garbage is named") {
  const Error error = failure_of([](UniqueFd socket) {
    test::say(socket.get(), "SSH-2.0-OpenSSH_9.2\r\n");  // no NUL ends it
    ::pause();
  });
  CHECK(error.code == Errc::protocol);
  CHECK(error.object == "/run/some socket");
  CHECK(error.hint.find("--socket") != std::string::npos);
}

TEST_CASE("client: JSON that is no reply is a protocol error") {
  const Error error = failure_of([](UniqueFd socket) {
    test::say(socket.get(), std::string_view{"[1,2]", 6});
    ::pause();
  });
  CHECK(error.code == Errc::protocol);
}

TEST_CASE("client: a peer that hangs up is named") {
  const Error error = failure_of([](UniqueFd socket) { socket.reset(); });
  CHECK(error.code == Errc::disconnected);
  CHECK(error.object == "/run/some socket");
  CHECK_FALSE(error.hint.empty());
}

TEST_CASE("client: a peer that hangs up in the middle of an answer") {
  const Error error = failure_of([](UniqueFd socket) { test::say(socket.get(), "{\"par"); });
  CHECK(error.code == Errc::disconnected);
}

TEST_CASE("client: a silent peer is given up") {
  const Error error = failure_of([](const UniqueFd&) { ::pause(); });
  CHECK(error.code == Errc::timed_out);
  CHECK(error.object == "/run/some socket");
}

TEST_CASE("client: 100 MiB without a NUL end as a protocol error") {
  const Error error = failure_of(
      [](UniqueFd socket) {
        const std::string mebibyte(1 << 20, ' ');
        for (int count = 0; count < 100; ++count) {
          if (::send(socket.get(), mebibyte.data(), mebibyte.size(), MSG_NOSIGNAL) < 0) return;
        }
      },
      long_limit_ms);
  CHECK(error.code == Errc::protocol);
  CHECK(error.object == "/run/some socket");
}

TEST_CASE("client: a peer that never reads is given up") {
  FakePeer peer{[](const UniqueFd&) { ::pause(); }};
  Client client{peer.socket(), "/run/some socket", short_limit_ms};
  const auto answer =
      client.call("io.emud.Manager.Run", "{\"a\":\"" + std::string(4 << 20, 'x') + "\"}");
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::timed_out);
}

TEST_CASE("client: a reply nobody asked to continue is a protocol error") {
  const Error error = failure_of([](UniqueFd socket) {
    Channel channel{std::move(socket)};
    test::send_reply(channel, "{}", true);
    ::pause();
  });
  CHECK(error.code == Errc::protocol);
}

TEST_CASE("client: an error reply is the error it carries") {
  const Error error = failure_of([](UniqueFd socket) {
    Channel channel{std::move(socket)};
    test::send_error(channel, "io.emud.Manager.ReadOnly",
                     R"({"action":"register handler","object":"emud-arm","errno":30,)"
                     R"("reason":"","hint":"Remount it"})");
    ::pause();
  });
  CHECK(error.code == Errc::read_only);
  CHECK(error.message() == "register handler emud-arm: Read-only file system");
  CHECK(error.hint == "Remount it");
}

TEST_CASE("client: progress goes to the handler, descriptors come with the last reply") {
  FakePeer peer{[](UniqueFd socket) {
    Channel channel{std::move(socket)};
    const auto call = test::receive_call(channel);
    if (call.method != "io.emud.Manager.Run" || !call.more) ::_exit(1);
    test::send_reply(channel, R"({"progress":{"step":"probe","object":"arm"}})", true);
    std::vector<UniqueFd> fds;
    fds.push_back(make_socket_pair().value().first);
    test::send_reply(channel, R"({"lease":"7","scope":"private","keeper":0,"notes":["so"]})", false,
                     std::move(fds));
  }};
  Client client{peer.socket(), "socket", 5000};
  RunRequest request;
  request.call.arguments = {"true"};
  std::vector<std::string> steps;
  const auto session =
      start_through_daemon(client, std::move(request),
                           [&](const wire::Progress& progress) { steps.push_back(progress.step); });
  REQUIRE(session);
  CHECK(steps == std::vector<std::string>{"probe"});
  CHECK(session->lease == "7");
  CHECK(session->scope == "private");
  CHECK(session->notes == std::vector<std::string>{"so"});
  REQUIRE(session->keeper);
  CHECK(session->keeper->fd() >= 0);
}

TEST_CASE("client: a keeper that did not come along is an error") {
  FakePeer peer{[](UniqueFd socket) {
    Channel channel{std::move(socket)};
    (void)test::receive_call(channel);
    test::send_reply(channel, R"({"lease":"7","keeper":0})");
  }};
  Client client{peer.socket(), "socket", 5000};
  RunRequest request;
  request.call.arguments = {"true"};
  const auto session = start_through_daemon(client, std::move(request), [](const auto&) {});
  REQUIRE_FALSE(session);
  CHECK(session.error().code == Errc::protocol);
}

TEST_CASE("client: why a socket cannot be reached") {
  const test::Directory directory;
  SECTION("nothing there") {
    const auto client = Client::connect(directory.path() + "/none");
    REQUIRE_FALSE(client);
    CHECK(client.error().code == Errc::not_found);
    CHECK(client.error().errno_value == ENOENT);
    CHECK(client.error().message().find("emud is not running") != std::string::npos);
    CHECK(client.error().hint.find("--rootless") != std::string::npos);
  }
  SECTION("nobody listens") {
    const std::string path = directory.path() + "/old";
    (void)test::listen_at(path);
    const auto client = Client::connect(path);
    REQUIRE_FALSE(client);
    CHECK(client.error().errno_value == ECONNREFUSED);
    CHECK(client.error().message().find("emud is not running") != std::string::npos);
  }
  SECTION("no socket") {
    const auto client = Client::connect(directory.path());
    REQUIRE_FALSE(client);
    CHECK(client.error().code == Errc::protocol);
  }
  SECTION("too long a path") {
    const auto client = Client::connect(directory.path() + std::string(200, 'x'));
    REQUIRE_FALSE(client);
    CHECK(client.error().code == Errc::invalid_argument);
  }
  SECTION("not allowed") {
    const std::string path = directory.path() + "/closed";
    const UniqueFd listener = test::listen_at(path);
    REQUIRE(::chmod(path.c_str(), 0) == 0);
    REQUIRE(::chmod(directory.path().c_str(), 0755) == 0);
    const int status = test::status_of_child([&] {
      if (::geteuid() == 0 && ::setuid(65534) != 0) return 1;
      const auto client = Client::connect(path);
      return !client && client.error().code == Errc::permission_denied ? 0 : 2;
    });
    CHECK(status == 0);
  }
}

TEST_CASE("client: a listener that never answers is asked a second time and given up") {
  const test::Directory directory;
  const std::string path = directory.path() + "/silent";
  const UniqueFd listener = test::listen_at(path);
  auto client = Client::connect(path, short_limit_ms);
  REQUIRE(client);
  const auto answer = client->call("io.emud.Manager.GetStatus", "{}");
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::timed_out);
  CHECK(answer.error().object == path);
}

TEST_CASE("client: emud may take its time as long as it says who it is") {
  const test::Directory directory;
  const std::string path = directory.path() + "/slow";
  const UniqueFd listener = test::listen_at(path);
  FakePeer emud{[&](UniqueFd) {
    Channel first{UniqueFd{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)}};
    Channel second{UniqueFd{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)}};
    if (test::receive_call(second).method != "org.varlink.service.GetInfo") ::_exit(1);
    test::send_reply(second, "{}");
    test::send_reply(first, R"({"done":"yes"})");
    ::pause();
  }};
  auto client = Client::connect(path, short_limit_ms);
  REQUIRE(client);
  const auto answer = client->call("io.emud.Manager.GetStatus", "{}");
  REQUIRE(answer);
  CHECK(answer->parameters.find("yes") != std::string::npos);
}

}  // namespace
}  // namespace emud::ctl
