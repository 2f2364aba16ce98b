#include <CLI/CLI.hpp>

#include "ctl/architecture_names.h"
#include "ctl/command_line.h"
#include "ctl/context.h"
#include "support/catch.h"

namespace emud::ctl {
namespace {

using Words = std::vector<std::string>;

CommandLine split(const Words& words) {
  static Context context;
  CLI::App app{"test"};
  app.fallthrough();
  app.add_option("--socket", context.socket);
  add_run(app, context);
  add_build(app, context);
  add_status(app, context);
  return split_command_line(app, words);
}

TEST_CASE("command line: behind -- everything is the command's") {
  const auto line = split({"run", "-a", "aarch64", "--", "-v", "--", "x"});
  CHECK(line.verb == "run");
  CHECK(line.words == Words{"run", "-a", "aarch64"});
  CHECK(line.command == Words{"-v", "--", "x"});
}

TEST_CASE("command line: the first word that is no option starts the command") {
  const auto line = split({"run", "-a", "arm", "-v", "ls", "-l", "--", "-a"});
  CHECK(line.words == Words{"run", "-a", "arm", "-v"});
  CHECK(line.command == Words{"ls", "-l", "--", "-a"});
}

TEST_CASE("command line: values of options are not the command") {
  CHECK(split({"run", "--arch=arm", "ls"}).command == Words{"ls"});
  CHECK(split({"run", "-aarm", "ls"}).command == Words{"ls"});
  CHECK(split({"run", "-va", "arm", "ls"}).command == Words{"ls"});
  CHECK(split({"run", "--scope", "host", "ls"}).command == Words{"ls"});
  CHECK(split({"--socket", "run", "run", "ls"}).command == Words{"ls"});
  CHECK(split({"run", "--socket", "/x", "ls"}).command == Words{"ls"});
}

TEST_CASE("command line: a command may be called like a verb") {
  const auto line = split({"run", "run", "status"});
  CHECK(line.words == Words{"run"});
  CHECK(line.command == Words{"run", "status"});
}

TEST_CASE("command line: other verbs keep their words") {
  const auto line = split({"status", "--", "x"});
  CHECK(line.verb == "status");
  CHECK(line.words == Words{"status", "--", "x"});
  CHECK(line.command.empty());
}

TEST_CASE("command line: incomplete lines lose nothing") {
  CHECK(split({}).verb.empty());
  CHECK(split({"run"}).command.empty());
  CHECK(split({"run", "-a"}).words == Words{"run", "-a"});
  CHECK(split({"run", "-x", "ls"}).words == Words{"run", "-x"});
  CHECK(split({"--help"}).words == Words{"--help"});
}

TEST_CASE("architecture names: aliases, lists and repetitions") {
  CHECK(architecture_names({"arm64,linux/arm/v7", "aarch64"}).value() == Words{"aarch64", "arm"});
  CHECK(architecture_names({}).value().empty());
}

TEST_CASE("architecture names: errors") {
  const auto unknown = architecture_names({"aarch65"});
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Errc::unknown_architecture);
  CHECK(unknown.error().hint.find("aarch64") != std::string::npos);
  for (const char* words : {"", "arm,", ",arm", "arm,,riscv64"}) {
    const auto empty = architecture_names({words});
    REQUIRE_FALSE(empty);
    CHECK(empty.error().code == Errc::invalid_argument);
  }
}

}  // namespace
}  // namespace emud::ctl
