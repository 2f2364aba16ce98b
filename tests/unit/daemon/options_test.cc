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

TEST_CASE("times may be set within bounds") {
  const auto options = parse(
      {"--linger", "10", "--reconnect-seconds", "0", "--idle-exit", "60", "--kill-after", "2.5"});
  REQUIRE(options);
  CHECK(options->linger_seconds == 10);
  CHECK(options->reconnect_seconds == 0);
  CHECK(options->idle_exit_seconds == 60);
  CHECK(options->kill_after() == std::chrono::milliseconds{2500});
  CHECK(parse_file("linger = 5\nkill-after = 1\n")->linger_seconds == 5);
  CHECK(parse({"--download-patience", "5"})->patience_seconds == 5);
  CHECK(parse({"--download-patience", "0"}).error() == 2);
  for (const char* option :
       {"--linger", "--reconnect-seconds", "--idle-exit", "--kill-after", "--download-patience"}) {
    CHECK(parse({option, "-1"}).error() == 2);
    CHECK(parse({option, "ever"}).error() == 2);
    CHECK(parse({option, "1e20"}).error() == 2);
  }
}

TEST_CASE("the configuration file has the same names") {
  const auto options = parse_file("group = \"builders\"\nprivate = \"group\"\nmax-leases = 12\n");
  REQUIRE(options);
  CHECK(options->group == "builders");
  CHECK(options->private_access == PrivateAccess::group);
  CHECK(options->max_leases == 12);
}

TEST_CASE("mirrors are addresses, in the order in which they are given") {
  const std::vector<std::string> both{"https://a.example/debian", "http://b.example/debian"};
  const auto options = parse({"--mirror", both[0].c_str(), "--mirror", both[1].c_str(), "--proxy",
                              "http://proxy.example:3128"});
  REQUIRE(options);
  CHECK(options->mirrors == both);
  CHECK(options->proxy == "http://proxy.example:3128");
  CHECK(parse({"--no-proxy", "a.example,b.example"})->no_proxy == "a.example,b.example");
  const auto configured = parse_file(
      "mirror = [\"https://a.example/debian\", \"http://b.example/debian\"]\n"
      "proxy = \"http://proxy.example:3128\"\n");
  REQUIRE(configured);
  CHECK(configured->mirrors == both);
  CHECK(configured->proxy == "http://proxy.example:3128");
  CHECK(parse({"--mirror", "ftp://a.example/debian"}).error() == 2);
  CHECK(parse({"--mirror", "/srv/debian"}).error() == 2);
  CHECK(parse_file("mirror = \"file:///srv/debian\"\n").error() == 2);
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

// What parse_options writes to stderr about a file of that text.
std::string complaint_about(const std::string& text) {
  char name[] = "/tmp/emud-unit-XXXXXX";
  const UniqueFd out{::mkstemp(name)};
  const UniqueFd saved{::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)};
  ::dup2(out.get(), STDERR_FILENO);
  const auto options = parse_file(text);
  ::dup2(saved.get(), STDERR_FILENO);
  CHECK_FALSE(options);
  const auto written = read_file(name);
  ::unlink(name);
  REQUIRE(written);
  return *written;
}

TEST_CASE("what is wrong in the file is told with file, line and key") {
  const std::string unknown = complaint_about("# a comment\n\ngroup = \"emud\"\nmax-leeses = 3\n");
  CHECK(unknown.find("/tmp/emud-unit-") != std::string::npos);
  CHECK(unknown.find(":4: there is no key max-leeses\n") != std::string::npos);
  const std::string value = complaint_about("max-leases-per-user = 3\nmax-leases = \"many\"\n");
  CHECK(value.find(":2: ") != std::string::npos);
  CHECK(value.find("max-leases") != std::string::npos);
  CHECK(value.find("many") != std::string::npos);
  CHECK(complaint_about("private = \"nobody\"\n").find(":1: ") != std::string::npos);
  CHECK(complaint_about("\nmax-leases = -1\n").find(":2: ") != std::string::npos);
  CHECK(complaint_about("\nlease-memory = \"4X\"\n").find(":2: ") != std::string::npos);
  CHECK(complaint_about("\nlease-cpu-weight = 20000\n").find(":2: ") != std::string::npos);
  CHECK(complaint_about("[limits]\nmax-leases = 3\n").find(":1: there is no key limits") !=
        std::string::npos);
  CHECK(complaint_about("max-leases 3\n").find(":1: there is no key max-leases 3") !=
        std::string::npos);
  CHECK(complaint_about("\nready-fd = 3\n").find(":2: ") != std::string::npos);
}

TEST_CASE("limits of a lease: numbers, sizes, none") {
  const auto plain = parse({});
  REQUIRE(plain);
  CHECK(plain->lease_limits.processes == 8192);
  CHECK(plain->lease_limits.memory == 0);
  CHECK(plain->lease_limits.seconds == 0);
  const auto set = parse_file(
      "lease-memory = \"4G\"\nlease-processes = \"none\"\nlease-seconds = 3600\n"
      "lease-cpu-weight = 50\nmax-message-memory-per-user = 1048576\n"
      "requests-per-second-per-user = 0\n");
  REQUIRE(set);
  CHECK(set->lease_limits.memory == std::uint64_t{4} << 30);
  CHECK(set->lease_limits.processes == 0);
  CHECK(set->lease_limits.seconds == 3600);
  CHECK(set->lease_limits.cpu_weight == 50);
  CHECK(set->max_message_memory_per_user == 1 << 20);
  CHECK(set->requests_per_second_per_user == 0);
  CHECK(parse({"--lease-memory", "none"})->lease_limits.memory == 0);
  CHECK(parse({"--lease-memory", "512m"})->lease_limits.memory == 512 << 20);
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
  record.pid_start = 4567890123456ULL;
  record.granted = true;
  record.cgroup = "/sys/fs/cgroup/x";
  record.purpose = "make \xff check";  // not UTF-8: shown, never parsed
  record.started = 1700000000;
  const auto back = lease_record_from_json(to_json(record));
  REQUIRE(back);
  CHECK(back->id == record.id);
  CHECK(back->architectures == record.architectures);
  CHECK(back->keeper_start == record.keeper_start);
  CHECK(back->cgroup == record.cgroup);
  CHECK(back->pid_start == record.pid_start);
  CHECK(back->granted);
  CHECK_FALSE(lease_record_from_json("{}"));
  CHECK_FALSE(lease_record_from_json("not json"));
}

TEST_CASE("a process's start time tells it from a later one of the same pid") {
  const auto start = process_start_time(::getpid());
  REQUIRE(start);
  CHECK(*start > 0);
  CHECK(process_start_time(::getpid()).value() == *start);
  CHECK(process_start_time(0).value() == 0);
}

}  // namespace
}  // namespace emud
