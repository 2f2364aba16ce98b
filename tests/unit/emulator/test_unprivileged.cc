#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "emulator/unprivileged.h"
#include "support/catch.h"
#include "unit/emulator/fixtures.h"

namespace emud {
namespace {

using test::contains;

// Runs busybox, or any other program, found by path.
Result<UnprivilegedOutcome> run(const std::string& path, std::vector<std::string> arguments,
                                UnprivilegedProgram program = {}) {
  const UniqueFd file = test::open_file(path);
  program.program = file.get();
  program.name = path;
  program.arguments = std::move(arguments);
  return run_unprivileged(program);
}

TEST_CASE("an unprivileged program has nothing that it does not need") {
  ::setenv("EMUD_TEST_SECRET", "x", 1);
  const UniqueFd open_in_parent = test::open_file("/etc/hostname");
  const auto outcome =
      run("/bin/sh", {"sh", "-c", "cat /proc/self/status; env; pwd; ls /proc/$$/fd; id -G"});
  ::unsetenv("EMUD_TEST_SECRET");
  REQUIRE(outcome);
  INFO(outcome->output << outcome->errors);
  CHECK(outcome->succeeded());
  CHECK(contains(outcome->output, "NoNewPrivs:\t1\n"));
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
    CHECK(contains(outcome->output, fmt::format("{}:\t0000000000000000\n", set)));
  }
  CHECK(contains(outcome->output, "SigBlk:\t0000000000000000\n"));
  CHECK_FALSE(contains(outcome->output, "EMUD_TEST_SECRET"));
  CHECK(contains(outcome->output, "\n/\n"));
  CHECK(contains(outcome->output, "\n0\n1\n2\n"));
  CHECK_FALSE(contains(outcome->output, fmt::format("\n{}\n", open_in_parent.get())));
  if (::geteuid() == 0) {
    CHECK_FALSE(contains(outcome->output, "Uid:\t0\t"));
    CHECK_FALSE(contains(outcome->output, "Gid:\t0\t"));
    CHECK(contains(outcome->output, "Groups:\t \n"));
    CHECK(contains(outcome->output, "CapBnd:\t0000000000000000\n"));
  }
}

TEST_CASE("an unprivileged program gets the descriptors it is given, and no others") {
  const test::ScratchDirectory directory;
  test::write_file(directory / "input", "hello\n");
  test::write_file(directory / "output", "");
  const UniqueFd input = test::open_file(directory / "input");
  const UniqueFd output{::open((directory / "output").c_str(), O_WRONLY | O_CLOEXEC)};
  const auto outcome = run(
      "/bin/sh", {"sh", "-c", "cat >&3"},
      UnprivilegedProgram{.input = input.get(), .descriptors = {output.get()}, .file_size = 1024});
  REQUIRE(outcome);
  CHECK(outcome->succeeded());
  CHECK(test::contents(directory / "output") == "hello\n");
}

TEST_CASE("how a program ended is told") {
  CHECK(run("/bin/sh", {"sh", "-c", "exit 3"})->status == 3 << 8);
  CHECK(describe_status(3 << 8) == "exited with status 3");
  const auto killed = run("/bin/sh", {"sh", "-c", "kill -9 $$"});
  REQUIRE(killed);
  CHECK(describe_status(killed->status) == "was killed by signal 9 (Killed)");
  const auto spoken = run("/bin/sh", {"sh", "-c", "echo out; echo err >&2; exit 1"});
  CHECK(spoken->output == "out\n");
  CHECK(spoken->errors == "err\n");
}

TEST_CASE("a program that hangs is killed, and its children too") {
  const auto outcome = run("/bin/sh", {"sh", "-c", "sleep 1000 & sleep 1000"},
                           UnprivilegedProgram{.time_limit = std::chrono::milliseconds{200}});
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::timed_out);
  CHECK(contains(outcome.error().message(), "0.2 s"));
  // All of its session is gone: nothing is left to wait for.
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("a child that outlives its parent does not keep us waiting") {
  const auto outcome = run("/bin/sh", {"sh", "-c", "sleep 1000 & echo done"});
  REQUIRE(outcome);
  CHECK(outcome->output == "done\n");
}

TEST_CASE("output has a bound") {
  const auto outcome = run("/bin/sh", {"sh", "-c", "while :; do echo 0123456789; done"});
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::limit_exceeded);
}

TEST_CASE("limits hold") {
  const auto outcome =
      run("/bin/sh", {"sh", "-c", "ulimit -f; ulimit -c; ulimit -t; echo x > /dev/stdin"},
          UnprivilegedProgram{.cpu_seconds = 7, .file_size = 0});
  REQUIRE(outcome);
  CHECK(outcome->output == "0\n0\n7\n");
}

TEST_CASE("a file that cannot be executed says so") {
  const test::ScratchDirectory directory;
  test::write_file(directory / "text", "no program\n", 0755);
  const auto text = run(directory / "text", {"text"});
  REQUIRE_FALSE(text);
  CHECK(text.error().errno_value == ENOEXEC);
  CHECK(contains(text.error().message(), "cannot execute it"));

  test::write_file(directory / "plain", test::contents("/bin/sh"), 0644);
  const auto plain = run(directory / "plain", {"sh"});
  REQUIRE_FALSE(plain);
  CHECK(plain.error().code == Errc::permission_denied);
  CHECK(contains(plain.error().hint, "noexec"));
}

TEST_CASE("untrusted text is made fit for an error") {
  CHECK(first_line("one\ntwo") == "one");
  CHECK(first_line("") == "");
  CHECK(first_line("a\033[31mb\tc") == "a?[31mb?c");
  CHECK(first_line(std::string(1000, 'x')).size() == 200);
}

}  // namespace
}  // namespace emud
