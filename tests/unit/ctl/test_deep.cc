#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <set>

#include "ctl/deep/checks.h"
#include "ctl/deep/workplace.h"
#include "ctl/probe_report.h"
#include "support/catch.h"

namespace emud::ctl {
namespace {

const DeepCheck& some_check() {
  return deep_checks().front();
}

DeepOutcome judged(const DeepEnd& end) {
  return judge(some_check(), end, 30);
}

TEST_CASE("deep: what the end of a check's program means") {
  CHECK(judged({}).result == DeepResult::ok);
  const auto broken = judged({.status = 1, .output = "brk grew by only 0 of 64 MiB\n"});
  CHECK(broken.result == DeepResult::broken);
  CHECK(broken.detail == "brk grew by only 0 of 64 MiB");
  const auto missing = judged({.status = 77, .output = "statx is not there\n"});
  CHECK(missing.result == DeepResult::not_supported);
  CHECK(missing.detail == "statx is not there");
}

TEST_CASE("deep: crashes, hangs and odd output are broken, with their names") {
  const auto crashed = judged({.signal = SIGSEGV, .output = "qemu: uncaught target signal 11\n"});
  CHECK(crashed.result == DeepResult::broken);
  CHECK(crashed.detail ==
        "it was ended by signal 11 (SIGSEGV: Segmentation fault); it printed \"qemu: uncaught "
        "target signal 11\"");
  const auto hung = judged({.timed_out = true});
  CHECK(hung.result == DeepResult::broken);
  CHECK(hung.detail == "it did not end in 30 s");
  CHECK(judged({.output = "\x1b[2Jhello\n"}).detail ==
        "it ended with status 0; it printed \"?[2Jhello\"");
  CHECK(judged({.output = "hello\n"}).result == DeepResult::broken);
  CHECK(judged({.status = 1}).detail == "it ended with status 1");
  CHECK(judged({.status = 3, .output = ""}).result == DeepResult::broken);
}

TEST_CASE("deep: the checks have names of their own") {
  std::set<std::string_view> ids;
  for (const DeepCheck& check : deep_checks()) {
    CHECK(ids.insert(check.id).second);
    CHECK((check.program == "static" || check.program == "pie"));
    CHECK_FALSE(check.about.empty());
  }
}

TEST_CASE("deep: a probe's report and what it is worth") {
  Probe probe{.architecture = "aarch64", .outcome = RunSession{}, .deep = {}};
  probe.outcome->scope = "private";
  std::vector<Probe> probes;
  probe.deep = std::vector<DeepOutcome>{{.check = &some_check()}};
  CHECK_FALSE(probe.is_broken());
  (*probe.deep)
      ->push_back({.check = &deep_checks()[1],
                   .result = DeepResult::broken,
                   .detail = "a \"quote\"",
                   .milliseconds = 12});
  CHECK(probe.is_broken());
  probes.push_back(std::move(probe));
  CHECK(probes_json(probes) ==
        R"({"version":1,"probes":[{"architecture":"aarch64","ready":true,"native":false,)"
        R"("scope":"private","checks":[)"
        R"({"check":"brk","result":"ok","detail":"","milliseconds":0},)"
        R"({"check":"brk-pie","result":"broken","detail":"a \"quote\"","milliseconds":12}]}]})"
        "\n");
  const std::string text = probes_text(probes, false);
  CHECK(text.find("  broken         brk-pie          a \"quote\"\n") != std::string::npos);
  CHECK(text.find("2 checks: 1 ok, 1 broken, 0 not supported\n") != std::string::npos);
}

TEST_CASE("deep: programs that were not built are no proof of anything") {
  Probe probe{.architecture = "riscv64", .outcome = RunSession{}, .deep = {}};
  probe.deep = fail(Errc::not_supported, "check in depth", "riscv64",
                    "built without a compiler for riscv64", "Install one");
  CHECK_FALSE(probe.is_broken());
  CHECK(probe.is_undecided());
  probe.is_named = false;
  CHECK_FALSE(probe.is_undecided());
}

TEST_CASE("deep: a workplace goes with all that is in it") {
  std::string path;
  {
    const Workplace place = Workplace::make().value();
    path = place.path();
    REQUIRE(::mkdir((path + "/directory").c_str(), 0700) == 0);
    CHECK(::access(path.c_str(), F_OK) == 0);
  }
  CHECK(::access(path.c_str(), F_OK) != 0);
}

}  // namespace
}  // namespace emud::ctl
