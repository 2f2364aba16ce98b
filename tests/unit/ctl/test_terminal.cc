#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "ctl/fake_peer.h"
#include "ctl/keeper_session.h"
#include "ctl/relay.h"
#include "ctl/terminal.h"
#include "support/catch.h"

namespace emud::ctl {
namespace {

// What comes from fd until `wanted` is in it; what there was if nothing more comes.
std::string read_until(int fd, std::string_view wanted) {
  std::string text;
  while (text.find(wanted) == std::string::npos) {
    pollfd entry{fd, POLLIN, 0};
    if (::poll(&entry, 1, 5000) <= 0) break;
    char chunk[256];
    const ssize_t count = ::read(fd, chunk, sizeof chunk);
    if (count <= 0) break;
    text.append(chunk, static_cast<std::size_t>(count));
  }
  return text;
}

RunRequest request_of_this_process() {
  RunIntent intent;
  intent.command = {"true"};
  return make_run_request(intent).value();
}

bool is_raw(int terminal) {
  termios modes{};
  return ::tcgetattr(terminal, &modes) == 0 && (modes.c_lflag & (ICANON | ECHO | ISIG)) == 0;
}

bool is_same_terminal(int one, int other) {
  struct stat a{};
  struct stat b{};
  return ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 && a.st_rdev == b.st_rdev;
}

// The part of emuctl: the command is a fake keeper's, which has the pseudo-terminal as the command
// would. It says "ready", echoes one line and ends with 5. Returns the session's status, or a
// number below 100 for what was wrong.
int play_emuctl() {
  auto terminal = Terminal::open();
  if (!terminal) return 1;
  RunRequest request = request_of_this_process();
  if (!terminal->attach(request) || request.call.terminal != 0) return 2;
  int slave = -1;
  for (const auto& [number, index] : request.call.descriptors) {
    if (number > 2) continue;
    const int fd = request.fds.at(static_cast<std::size_t>(index)).get();
    if (::isatty(fd) != 1 || is_same_terminal(fd, STDIN_FILENO)) return 3;
    slave = fd;
  }
  winsize size{};
  if (::ioctl(slave, TIOCGWINSZ, &size) != 0 || size.ws_row != 33 || size.ws_col != 99) return 4;

  test::FakePeer keeper{[&](UniqueFd socket) {
    Channel channel{std::move(socket)};
    while (test::receive_call(channel).method != "io.emud.Keeper.Wait") {
    }
    test::say(slave, "ready\n");
    char line[64];
    const ssize_t count = ::read(slave, line, sizeof line);
    test::say(slave, "got ");
    test::say(slave, {line, static_cast<std::size_t>(count)});
    test::send_reply(channel, R"({"status":5})");
  }};
  request.fds.clear();
  RunSession session;
  session.keeper.emplace(keeper.socket());
  KeeperSession running{std::move(session), {.terminal = &*terminal}};
  const auto status = running.run();
  if (is_raw(STDIN_FILENO)) return 6;
  return status ? *status : 7;
}

TEST_CASE("terminal: bytes, size and modes pass through the pseudo-terminal") {
  winsize size{};
  size.ws_row = 33;
  size.ws_col = 99;
  int master = -1;
  const pid_t child = ::forkpty(&master, nullptr, nullptr, &size);
  if (child == 0) ::_exit(play_emuctl());
  const UniqueFd user{master};
  const std::string greeting = read_until(user.get(), "ready");
  CHECK(greeting.find("ready\r\n") != std::string::npos);
  CHECK(is_raw(user.get()));
  REQUIRE(::write(user.get(), "hello\r", 6) == 6);  // as the Return key sends it
  const std::string answer = read_until(user.get(), "got hello");
  CHECK(answer.find("hello\r\n") == 0);  // echoed once, by the pseudo-terminal
  CHECK(answer.find("got hello") != std::string::npos);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 5);
}

TEST_CASE("terminal: without one on stdin, the end of a pipe is the end-of-file key") {
  const int status = test::status_of_child([] {
    auto input = make_pipe().value();
    auto output = make_pipe().value();
    test::say(input.second.get(), "abc");  // no line break at the end
    input.second.reset();
    ::dup2(input.first.get(), STDIN_FILENO);
    ::dup2(output.second.get(), STDOUT_FILENO);
    auto terminal = Terminal::open();
    RunRequest request = request_of_this_process();
    if (!terminal || !terminal->attach(request) || request.call.terminal != 0) return 1;
    const int slave =
        request.fds.at(static_cast<std::size_t>(request.call.descriptors.at(0).index)).get();
    test::FakePeer keeper{[&](UniqueFd socket) {
      Channel channel{std::move(socket)};
      (void)test::receive_call(channel);
      char text[64];
      ssize_t total = 0;
      for (ssize_t count; (count = ::read(slave, text, sizeof text)) > 0;) total += count;
      test::send_reply(channel, total == 3 ? R"({"status":9})" : R"({"status":10})");
    }};
    RunSession session;
    session.keeper.emplace(keeper.socket());
    KeeperSession running{std::move(session), {.terminal = &*terminal}};
    const auto ended = running.run();
    return ended ? *ended : 2;
  });
  CHECK(status == 9);
}

TEST_CASE("relay: a reader that is slow slows the writer down") {
  auto source = make_pipe().value();
  auto sink = make_pipe().value();
  Relay relay{source.first.get(), sink.second.get()};
  const std::string chunk(4096, 'x');
  for (std::size_t sent = 0; sent < 2 * Relay::max_buffered; sent += chunk.size()) {
    REQUIRE(::write(source.second.get(), chunk.data(), chunk.size()) == 4096);
  }
  while (relay.wants_input()) relay.read_some();
  CHECK_FALSE(relay.ended());
  CHECK(relay.wants_output());
  while (relay.wants_output()) relay.write_some();
  CHECK(relay.wants_input());
  source.second.reset();
  while (relay.wants_input()) relay.read_some();
  while (relay.wants_output()) {
    char bytes[8192];
    REQUIRE(::read(sink.first.get(), bytes, sizeof bytes) > 0);
    relay.write_some();
    if (relay.wants_input()) relay.read_some();
  }
  CHECK((relay.ended() || relay.wants_input()));
}

TEST_CASE("relay: what nobody reads is dropped") {
  auto source = make_pipe().value();
  auto sink = make_pipe().value();
  sink.first.reset();
  const int status = test::status_of_child([&] {
    ::signal(SIGPIPE, SIG_IGN);
    Relay relay{source.first.get(), sink.second.get()};
    test::say(source.second.get(), "x");
    relay.read_some();
    relay.write_some();
    return relay.wants_output() ? 1 : 0;
  });
  CHECK(status == 0);
}

}  // namespace
}  // namespace emud::ctl
