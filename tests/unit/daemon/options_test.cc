#include "daemon/options.h"

#include <fcntl.h>
#include <unistd.h>

#include <initializer_list>

#include "base/file.h"
#include "daemon/lease.h"
#include "support/catch.h"

namespace emud {
namespace {

std::expected<Options, int> parse(std::initializer_list<const char*> arguments) {
  std::vector<char*> words{const_cast<char*>("emud")};
  for (const char* argument : arguments) words.push_back(const_cast<char*>(argument));
  return parse_options(static_cast<int>(words.size()), words.data());
}

std::expected<Options, int> parse_file(const std::string& text) {
  char name[] = "/tmp/emud-unit-XXXXXX";
  const UniqueFd file{::mkstemp(name)};
  REQUIRE(write_all(file.get(), name, text));
  auto options = parse({"--config", name});
  ::unlink(name);
  return options;
}

TEST_CASE("options come from the command line") {
  const auto options =
      parse({"--socket", "/s", "--state-dir", "/st", "--runtime-dir", "/rt", "--private", "group",
             "--log-level", "debug", "--max-leases", "3", "--ready-fd", "5"});
  REQUIRE(options);
  CHECK(options->paths.socket == "/s");
  CHECK(options->paths.store() == "/st/store");
  CHECK(options->paths.leases() == "/rt/leases");
  CHECK(options->private_access == PrivateAccess::group);
  CHECK(options->log_level == Level::debug);
  CHECK(options->max_leases == 3);
  CHECK(options->ready_fd == 5);
}

TEST_CASE("the configuration file has the same names") {
  const auto options = parse_file("group = \"builders\"\nprivate = \"group\"\nmax-leases = 12\n");
  REQUIRE(options);
  CHECK(options->group == "builders");
  CHECK(options->private_access == PrivateAccess::group);
  CHECK(options->max_leases == 12);
}

TEST_CASE("a wrong option, key or value is refused with status 2") {
  CHECK(parse({"--no-such-option"}).error() == 2);
  CHECK(parse({"--private", "nobody"}).error() == 2);
  CHECK(parse({"--max-leases", "many"}).error() == 2);
  CHECK(parse({"--config", "/no/such/file"}).error() == 2);
  CHECK(parse_file("no-such-key = 1\n").error() == 2);
  CHECK(parse_file("max-leases = \"many\"\n").error() == 2);
  CHECK(parse({"--help"}).error() == 0);
}

TEST_CASE("a lease's record survives the way to disk and back") {
  LeaseRecord record;
  record.id = "0123abcd";
  record.scope = "private";
  record.architectures = {"aarch64", "arm"};
  record.uid = 1000;
  record.pid = 12;
  record.keeper = 34;
  record.keeper_start = 5678901234567ULL;
  record.cgroup = "/sys/fs/cgroup/x";
  record.purpose = "make \xff check";  // not UTF-8: shown, never parsed
  record.started = 1700000000;
  const auto back = lease_record_from_json(to_json(record));
  REQUIRE(back);
  CHECK(back->id == record.id);
  CHECK(back->architectures == record.architectures);
  CHECK(back->keeper_start == record.keeper_start);
  CHECK(back->cgroup == record.cgroup);
  CHECK_FALSE(lease_record_from_json("{}"));
  CHECK_FALSE(lease_record_from_json("not json"));
}

TEST_CASE("a process's start time tells it from a later one of the same pid") {
  CHECK(process_start_time(::getpid()) > 0);
  CHECK(process_start_time(::getpid()) == process_start_time(::getpid()));
  CHECK(process_start_time(0) == 0);
}

}  // namespace
}  // namespace emud
