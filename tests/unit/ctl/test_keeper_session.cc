#include <unistd.h>

#include <csignal>

#include "ctl/fake_peer.h"
#include "ctl/keeper_session.h"
#include "support/catch.h"
#include "wire/errors.h"

namespace emud::ctl {
namespace {

using namespace std::chrono_literals;
using test::FakePeer;

// A session with a keeper that has been asked to Wait when `play` begins.
Result<int> run_with(const std::function<void(Channel&)>& play, SessionOptions options = {}) {
  FakePeer peer{[&](UniqueFd socket) {
    Channel channel{std::move(socket)};
    const auto call = test::receive_call(channel);
    if (call.method != "io.emud.Keeper.Wait" || !call.more || call.oneway) ::_exit(1);
    play(channel);
  }};
  RunSession session;
  session.lease = "17";
  session.keeper.emplace(peer.socket());
  KeeperSession keeper{std::move(session), std::move(options)};
  return keeper.run();
}

// The number in the next call, which must be a Signal that wants no answer.
int next_signal(Channel& channel) {
  const auto call = test::receive_call(channel);
  if (call.method != "io.emud.Keeper.Signal" || !call.oneway) ::_exit(1);
  return static_cast<int>(wire::from_json<wire::SignalCall>(call.parameters).value().signal);
}

void send_signal_back(Channel& channel) {
  test::send_reply(channel, "{\"signal\":" + std::to_string(next_signal(channel)) + "}");
}

TEST_CASE("keeper session: the command's status") {
  const auto status = run_with([](Channel& channel) {
    test::send_reply(channel,
                     R"({"status":42,"userTime":1,"systemTime":2,"maximumResidentSet":3})");
  });
  CHECK(status.value() == 42);
}

TEST_CASE("keeper session: 128+N for signal N") {
  const auto status = run_with(
      [](Channel& channel) { test::send_reply(channel, R"({"signal":11,"coreDumped":true})"); });
  CHECK(status.value() == 139);
}

TEST_CASE("keeper session: exit statuses of what went wrong") {
  const auto status_for = [](const char* name) {
    const auto outcome = run_with([&](Channel& channel) {
      test::send_error(channel, name,
                       R"({"action":"run","object":"x","errno":2,"reason":"","hint":""})");
    });
    REQUIRE_FALSE(outcome);
    return wire::run_exit_status(outcome.error());
  };
  CHECK(status_for("io.emud.Keeper.CommandNotFound") == 127);
  CHECK(status_for("io.emud.Keeper.CommandNotExecutable") == 126);
  CHECK(status_for("io.emud.Keeper.Failed") == 125);
}

TEST_CASE("keeper session: a keeper that dies is told by its lease") {
  const auto outcome = run_with([](Channel&) {});
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::disconnected);
  CHECK(outcome.error().message().find("keeper of lease 17 died") != std::string::npos);
  CHECK(wire::run_exit_status(outcome.error()) == 125);
}

TEST_CASE("keeper session: an answer without a status is a protocol error") {
  const auto outcome = run_with([](Channel& channel) { test::send_reply(channel, "{}"); });
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::protocol);
}

TEST_CASE("keeper session: signals are forwarded") {
  const int signal = GENERATE(SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT);
  const int status = test::status_of_child([&] {
    const auto outcome = run_with([&](Channel& channel) {
      ::kill(::getppid(), signal);
      send_signal_back(channel);
    });
    return outcome ? *outcome : 1;
  });
  CHECK(status == 128 + signal);
}

TEST_CASE("keeper session: a command that ignores the end is ended with its channel") {
  const int status = test::status_of_child([] {
    const auto begin = std::chrono::steady_clock::now();
    const auto outcome = run_with(
        [](Channel& channel) {
          ::kill(::getppid(), SIGTERM);
          if (next_signal(channel) != SIGTERM) ::_exit(1);
          (void)channel.receive();  // the hang-up
        },
        {.grace = 100ms});
    const auto took = std::chrono::steady_clock::now() - begin;
    if (took < 100ms || took > 5s) return 1;
    return outcome ? *outcome : 2;
  });
  CHECK(status == 128 + SIGTERM);
}

TEST_CASE("keeper session: a program that handles the signal keeps its own status") {
  const int status = test::status_of_child([] {
    const auto outcome = run_with([](Channel& channel) {
      ::kill(::getppid(), SIGINT);
      if (next_signal(channel) == SIGINT) test::send_reply(channel, R"({"status":7})");
    });
    return outcome ? *outcome : 1;
  });
  CHECK(status == 7);
}

TEST_CASE("keeper session: ignored signals stay ignored") {
  const int status = test::status_of_child([] {
    ::signal(SIGHUP, SIG_IGN);  // nohup(1)
    const auto outcome = run_with([](Channel& channel) {
      ::kill(::getppid(), SIGHUP);
      ::kill(::getppid(), SIGUSR1);
      send_signal_back(channel);
    });
    return outcome ? *outcome : 1;
  });
  CHECK(status == 128 + SIGUSR1);
}

TEST_CASE("keeper session: a stopped command in an orphaned process group is continued") {
  const int status = test::status_of_child([] {
    ::setsid();  // nobody could continue us: the kernel does not stop us
    std::vector<std::int64_t> stops;
    const auto outcome = run_with(
        [](Channel& channel) {
          test::send_reply(channel, R"({"stopped":20})", true);
          if (next_signal(channel) == SIGCONT) test::send_reply(channel, R"({"status":3})");
        },
        {.on_reply = [&](const wire::WaitReply& reply) {
          if (reply.stopped) stops.push_back(*reply.stopped);
        }});
    if (stops != std::vector<std::int64_t>{SIGTSTP}) return 1;
    return outcome ? *outcome : 2;
  });
  CHECK(status == 3);
}

TEST_CASE("keeper session: a command stopped by SIGSTOP is left to who stopped it") {
  const int status = test::status_of_child([] {
    const auto outcome = run_with([](Channel& channel) {
      test::send_reply(channel, R"({"stopped":19})", true);
      ::kill(::getppid(), SIGUSR1);
      test::send_reply(channel, next_signal(channel) == SIGUSR1 ? R"({"status":3})" : "{}");
    });
    return outcome ? *outcome : 2;
  });
  CHECK(status == 3);
}

}  // namespace
}  // namespace emud::ctl
