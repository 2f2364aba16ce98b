#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "ctl/events.h"
#include "ctl/fake_peer.h"
#include "ctl/installed.h"
#include "ctl/output.h"
#include "ctl/progress.h"
#include "ctl/status_text.h"
#include "support/catch.h"

namespace emud::ctl {
namespace {

using Json = nlohmann::json;

// What `write` sends to the descriptor `number`, which is a pipe meanwhile.
std::string captured(int number, const std::function<void()>& write) {
  auto pipe = make_pipe().value();
  const UniqueFd saved{::fcntl(number, F_DUPFD_CLOEXEC, 3)};
  ::dup2(pipe.second.get(), number);
  write();
  ::dup2(saved.get(), number);
  pipe.second.reset();
  return read_all(pipe.first.get(), "pipe", 1 << 16).value();
}

TEST_CASE("output: an error is its message and its hint") {
  const auto text = captured(STDERR_FILENO, [] {
    report(
        fail(Errc::not_found, "find emulator", "arm", "none is installed", "Install one").error());
    report(fail(Errc::internal, "do", "this").error());
  });
  CHECK(text == "emuctl: find emulator arm: none is installed\n  Install one.\nemuctl: do this\n");
}

TEST_CASE("output: a result that cannot be written is an error") {
  const int status = test::status_of_child([] {
    const UniqueFd full{::open("/dev/full", O_WRONLY | O_CLOEXEC)};
    ::dup2(full.get(), STDOUT_FILENO);
    const UniqueFd quiet{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
    ::dup2(quiet.get(), STDERR_FILENO);
    return finish(print("ready\n"));
  });
  CHECK(status == 1);
}

TEST_CASE("output: exit statuses of the verbs") {
  const auto status_of = [](Errc code) {
    int status = -1;
    (void)captured(STDERR_FILENO, [&] { status = finish(fail(code, "do", "it")); });
    return status;
  };
  CHECK(finish({}) == 0);
  CHECK(status_of(Errc::invalid_argument) == 2);
  CHECK(status_of(Errc::unknown_architecture) == 2);
  CHECK(status_of(Errc::not_ready) == 1);
  CHECK(status_of(Errc::disconnected) == 1);
}

TEST_CASE("output: no colour without a terminal or with NO_COLOR") {
  const UniqueFd terminal{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
  REQUIRE(terminal);
  ::unsetenv("NO_COLOR");
  ::setenv("TERM", "xterm", 1);
  CHECK(uses_colour(terminal.get()));
  CHECK_FALSE(uses_colour(make_pipe().value().second.get()));
  ::setenv("TERM", "dumb", 1);
  CHECK_FALSE(uses_colour(terminal.get()));
  ::setenv("TERM", "xterm", 1);
  ::setenv("NO_COLOR", "1", 1);
  CHECK_FALSE(uses_colour(terminal.get()));
  CHECK(coloured("x", Colour::red, false) == "x");
  CHECK(coloured("x", Colour::red, true) == "\x1b[31mx\x1b[0m");
}

TEST_CASE("output: columns are aligned without blanks at the ends") {
  CHECK(table({{"A", "BB", "C"}, {"long", "x", "y"}, {"s"}}) == "A     BB  C\nlong  x   y\ns\n");
  CHECK(listed({}) == "none");
  CHECK(listed({"a", "b"}) == "a, b");
}

TEST_CASE("progress: text with and without sizes") {
  CHECK(progress_text({.step = "probe", .object = "arm", .done = {}, .total = {}}) == "probe arm");
  CHECK(progress_text({.step = "fetch", .object = "qemu", .done = 1 << 20, .total = 4 << 20}) ==
        "fetch qemu 1.0 of 4.0 MiB (25 %)");
}

TEST_CASE("progress: a bar with rate and time left fits the terminal") {
  const wire::Progress step{.step = "fetch", .object = "q.deb", .done = 1 << 20, .total = 4 << 20};
  const std::string begin = "fetch q.deb [#####---------------] 1.0 of 4.0 MiB";
  CHECK(progress_bar(step, 0, 80) == begin);
  CHECK(progress_bar(step, 1 << 20, 80) == begin + ", 1.0 MiB/s, 3 s left");
  CHECK(progress_bar(step, 1 << 14, 80) == begin + ", 0.0 MiB/s, 3 min 12 s left");
  CHECK(progress_bar(step, 1 << 20, 20) == begin.substr(0, 19));
  const wire::Progress odd{.step = "fetch", .object = "q", .done = 9, .total = 4};
  CHECK(progress_bar(odd, 0, 80) == "fetch q [####################] 0.0 of 0.0 MiB");
}

TEST_CASE("progress: what is no terminal gets a line a step, or one when a fetch begins") {
  const wire::Progress step{.step = "fetch", .object = "qemu", .done = 1, .total = 2};
  const auto shown = [&](Verbosity verbosity) {
    return captured(STDERR_FILENO, [&] { ProgressDisplay{verbosity}.show(step); });
  };
  CHECK(shown(Verbosity::quiet).empty());
  CHECK(shown(Verbosity::normal) == "emuctl: fetch qemu (0.0 MiB)\n");
  CHECK(shown(Verbosity::verbose).starts_with("emuctl: fetch qemu "));
}

TEST_CASE("events: one JSON object a line") {
  auto pipe = make_pipe().value();
  auto events = EventStream::open(pipe.second.get()).value();
  events.progress({.step = "fetch", .object = "qemu", .done = 1, .total = 2});
  LeaseEvent lease;
  lease.lease = "5";
  lease.scope = "private";
  events.lease(lease);
  wire::WaitReply stopped;
  stopped.stopped = 20;
  events.waited(stopped);
  wire::WaitReply ended;
  ended.signal = 9;
  ended.user_time = 77;
  events.waited(ended);
  events.error(fail(Errc::not_ready, "probe", "arm", "line\nbreak", "Do").error());
  events.exit(137);
  pipe.second.reset();
  const std::string text = read_all(pipe.first.get(), "pipe", 1 << 16).value();
  std::vector<Json> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    lines.push_back(Json::parse(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  REQUIRE(lines.size() == 5);
  for (const auto& line : lines) CHECK(line.at("version") == 1);
  CHECK(lines[0].at("event") == "progress");
  CHECK(lines[0].at("total") == 2);
  CHECK(lines[1].at("lease") == "5");
  CHECK(lines[2] == Json{{"version", 1}, {"event", "stop"}, {"signal", 20}});
  CHECK(lines[3].at("code") == "not_ready");
  CHECK(lines[3].at("reason") == "line\nbreak");
  CHECK(lines[4].at("status") == 137);
  CHECK(lines[4].at("signal") == 9);
  CHECK(lines[4].at("userTime") == 77);
}

TEST_CASE("events: a reader that went away does not end the run") {
  const int status = test::status_of_child([] {
    auto pipe = make_pipe().value();
    pipe.first.reset();
    auto events = EventStream::open(pipe.second.get()).value();
    events.exit(0);
    events.exit(0);
    return 4;  // SIGPIPE has not ended it
  });
  CHECK(status == 4);
}

TEST_CASE("events: the descriptor must be open for writing") {
  const UniqueFd file{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  CHECK(EventStream::open(file.get()).error().code == Errc::invalid_argument);
  CHECK(EventStream::open(999).error().code == Errc::invalid_argument);
}

TEST_CASE("status: text") {
  const wire::GetStatusReply status{.version = "0.1.0",
                                    .kernel = "6.18.0",
                                    .architecture = "x86_64",
                                    .private_scope = true,
                                    .private_reason = {},
                                    .host_scope = false,
                                    .host_reason = "mounted read-only",
                                    .handlers = {},
                                    .foreign = {},
                                    .leases = {{.id = "3",
                                                .scope = "private",
                                                .state = "ready",
                                                .architectures = {"arm"},
                                                .uid = 1000,
                                                .user = "alice",
                                                .pid = 12,
                                                .keeper = 13,
                                                .purpose = {},
                                                .started = 1000,
                                                .ends = {},
                                                .processes = 3,
                                                .cpu_time = 1520000,
                                                .memory = 3 << 20}},
                                    .emulators = {},
                                    .policy = {}};
  CHECK(status_text(status, 1090, false) ==
        "emud 0.1.0 on Linux 6.18.0 (x86_64)\n"
        "private scope: available\n"
        "host scope:    not available (mounted read-only)\n"
        "\nLeases\n"
        "LEASE  SCOPE    STATE  USER   PID  AGE   CPU    MEMORY  ARCHITECTURES  PURPOSE\n"
        "3      private  ready  alice  12   90 s  1.5 s  3 MiB   arm            -\n"
        "\nEmulators\nno emulator is installed\n");
}

TEST_CASE("emulators: JSON is versioned") {
  const auto json = Json::parse(emulators_json({{.architecture = "arm",
                                                 .version = "10.0.2",
                                                 .digest = "ab",
                                                 .source = "/x \"y\"",
                                                 .installed = "2026-01-01T00:00:00Z"}}));
  CHECK(json.at("version") == 1);
  CHECK(json.at("emulators").at(0).at("source") == "/x \"y\"");
  CHECK(Json::parse(emulators_json({})).at("emulators").empty());
}

}  // namespace
}  // namespace emud::ctl
