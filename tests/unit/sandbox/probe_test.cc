// Probes on the host: what needs no handler, and what has none. Those with a handler are in
// tests/integration.
#include "sandbox/probe.h"

#include <sched.h>
#include <unistd.h>

#include "binfmt/registry.h"
#include "sandbox/namespaces.h"
#include "sandbox/native.h"
#include "sandbox/process.h"
#include "support/catch.h"

namespace emud {
namespace {

// In a user namespace of its own, with an empty binfmt_misc: a probe there sees no handler of the
// machine's.
int in_empty_scope(int (*body)()) {
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
  CHECK(text(report).find("11") != std::string::npos);
  report = found(ProbeFinding::wrong_output);
  report.output = "x\n";
  CHECK(text(report).find("\"x\\n\"") != std::string::npos);
  report = found(ProbeFinding::wrong_status);
  report.status = 9;
  CHECK(text(report).find('9') != std::string::npos);
}

}  // namespace
}  // namespace emud
