// Probes of what needs no handler, of what has none, and of handlers that do not work. Those that
// do are in tests/integration.
#include "sandbox/probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>

#include "base/file.h"
#include "binfmt/registry.h"
#include "sandbox/namespaces.h"
#include "sandbox/native.h"
#include "sandbox/process.h"
#include "support/catch.h"

namespace emud {
namespace {

// In a user namespace of its own, with an empty binfmt_misc: a probe there sees no handler of the
// machine's.
int in_empty_scope(const std::function<int()>& body) {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  auto child = clone_child();
  if (!child) return -1;
  if (!*child) {
    if (!unshare_namespaces(CLONE_NEWUSER | CLONE_NEWNS, "namespaces") || !map_self(0, uid, 0, gid))
      ::_exit(101);
    if (!Registry::mount_private()) ::_exit(102);
    ::_exit(body());
  }
  return child->wait()->code;
}

Identity mapped() {
  Identity identity;
  identity.keep_groups = true;
  return identity;
}

ProbeReport found(ProbeFinding finding) {
  ProbeReport report;
  report.finding = finding;
  return report;
}

// A scratch directory, and static programs in it that are no good emulators.
struct BadEmulators {
  std::string directory = "/tmp/emud-probe-test-XXXXXX";

  BadEmulators() { REQUIRE(::mkdtemp(directory.data()) != nullptr); }
  BadEmulators(const BadEmulators&) = delete;
  BadEmulators& operator=(const BadEmulators&) = delete;
  ~BadEmulators() { [[maybe_unused]] const auto removed = remove_tree(AT_FDCWD, directory); }

  // Made by the C compiler from the body of main().
  [[nodiscard]] std::string compile(std::string_view body, std::string_view flags = "-static") {
    const std::string program = directory + "/emulator";
    std::ofstream{program + ".c"} << fmt::format(
        "#include <signal.h>\n#include <stdio.h>\n#include <unistd.h>\nint main(void) {{ {} }}\n",
        body);
    REQUIRE(std::system(fmt::format("cc {1} -o {0} {0}.c", program, flags).c_str()) == 0);
    return program;
  }
};

// The probe of aarch64 with that interpreter registered under those flags, in an empty scope; the
// test fails unless it finds that. Returns the reason of its error.
std::string reason_of(ProbeFinding expected, const std::string& interpreter,
                      const std::string& flags = "PF", int time_limit_ms = probe_time_limit_ms) {
  const Architecture& architecture = **find_architecture("aarch64");
  Rule rule = make_rule(architecture, interpreter);
  rule.flags = flags;
  const UniqueFd told{::memfd_create("reason", MFD_CLOEXEC)};
  const int status = in_empty_scope([&] {
    if (!write_control(AT_FDCWD, "/proc/sys/fs/binfmt_misc/register", *registration_string(rule)))
      return 103;
    const auto report = probe(architecture, mapped(), time_limit_ms);
    if (!report || report->finding != expected) return 1 + static_cast<int>(report->finding);
    const auto ready = require_ready(*report, architecture);
    if (!ready && !write_all(told.get(), "reason", ready.error().reason)) return 104;
    return 0;
  });
  CHECK(status == 0);
  REQUIRE(::lseek(told.get(), 0, SEEK_SET) == 0);
  return read_all(told.get(), "reason", 4096).value_or("");
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::string machine_emulator() {
  for (const char* path : {"/usr/bin/qemu-aarch64-static", "/usr/bin/qemu-aarch64"}) {
    if (::access(path, X_OK) == 0) return path;
  }
  FAIL("the test needs qemu-user-static (on newer systems: qemu-user)");
  return {};
}

TEST_CASE("a handler that works is ready; without F, or with a dynamic interpreter, it is not") {
  CHECK(reason_of(ProbeFinding::ready, machine_emulator()).empty());
  CHECK(has(reason_of(ProbeFinding::not_found, machine_emulator(), "P"), "the F flag is missing"));
  BadEmulators bad;
  const std::string reason = reason_of(ProbeFinding::not_found, bad.compile("return 0;", ""));
  CHECK(has(reason, "dynamically linked"));
}

TEST_CASE("an emulator that crashes") {
  BadEmulators bad;
  CHECK(has(reason_of(ProbeFinding::crashed, bad.compile("raise(SIGSEGV);")), "signal 11 (Seg"));
  CHECK(has(reason_of(ProbeFinding::crashed, bad.compile("raise(SIGRTMIN + 2);")),
            "(a real-time signal)"));
}

TEST_CASE("an emulator that hangs, silent or not") {
  BadEmulators bad;
  CHECK(has(reason_of(ProbeFinding::hung, bad.compile("pause();"), "PF", 300), "time limit"));
  CHECK(has(reason_of(ProbeFinding::hung, bad.compile("close(1); pause();"), "PF", 300),
            "time limit"));
  CHECK(has(reason_of(ProbeFinding::hung, bad.compile("for (;;) puts(\"y\");"), "PF", 300),
            "time limit"));
}

TEST_CASE("an emulator whose program does something else") {
  BadEmulators bad;
  CHECK(has(reason_of(ProbeFinding::wrong_output, bad.compile("puts(\"x\"); return 0;")),
            "printed \"x\\n\" instead"));
  CHECK(has(reason_of(ProbeFinding::wrong_output, bad.compile("return 0;")), "printed nothing"));
  CHECK(has(reason_of(ProbeFinding::wrong_status, bad.compile("return 3;")),
            "status 3 and printed nothing"));
  CHECK(has(reason_of(ProbeFinding::wrong_status, bad.compile("puts(\"emud probe\"); return 3;")),
            "status 3 and printed its line"));
}

TEST_CASE("the machine's own probe program is ready without a handler") {
  CHECK(runs_natively(host_architecture()));
  const int status = in_empty_scope([] {
    const auto report = probe(host_architecture(), mapped());
    return report && report->finding == ProbeFinding::ready ? 0 : 1;
  });
  CHECK(status == 0);
}

TEST_CASE("a foreign program without a handler is found to be not registered") {
  const int status = in_empty_scope([] {
    const auto report = probe(**find_architecture("s390x"), mapped());
    return report && report->finding == ProbeFinding::not_registered ? 0 : 1;
  });
  CHECK(status == 0);
}

TEST_CASE("each finding is an error of its own that says what to do") {
  const Architecture& architecture = **find_architecture("aarch64");
  CHECK(require_ready(found(ProbeFinding::ready), architecture));
  const auto text = [&](const ProbeReport& report) {
    const auto result = require_ready(report, architecture);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::not_ready);
    CHECK(result.error().object == "aarch64");
    CHECK_FALSE(result.error().hint.empty());
    return result.error().reason;
  };
  CHECK(text(found(ProbeFinding::not_registered)).find("ENOEXEC") != std::string::npos);
  CHECK(text(found(ProbeFinding::not_found)).find("F flag") != std::string::npos);
  CHECK(text(found(ProbeFinding::hung)).find("time limit") != std::string::npos);
  CHECK(text(found(ProbeFinding::no_image)).find("no probe program") != std::string::npos);
  ProbeReport report = found(ProbeFinding::crashed);
  report.signal = 11;
  CHECK(text(report).find("11 (Segmentation fault)") != std::string::npos);
  report.signal = 40;
  CHECK(text(report).find("40 (a real-time signal)") != std::string::npos);
  report = found(ProbeFinding::wrong_output);
  report.output = "x\n";
  CHECK(text(report).find("\"x\\n\"") != std::string::npos);
  report = found(ProbeFinding::wrong_status);
  report.status = 9;
  CHECK(text(report).find('9') != std::string::npos);
  CHECK(require_ready(report, architecture).error().hint.find("ulimit") == std::string::npos);
  report.memory = rlim_t{100} << 20;
  CHECK(require_ready(report, architecture)
            .error()
            .hint.find("102400 KiB it is allowed (`ulimit -v`") != std::string::npos);
}

}  // namespace
}  // namespace emud
