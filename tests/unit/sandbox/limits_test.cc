#include "sandbox/limits.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "sandbox/process.h"
#include "support/catch.h"

namespace emud {
namespace {

// A directory with a cgroup's control files: what a kernel without the controllers cannot show.
struct FakeCgroup {
  FakeCgroup() {
    REQUIRE(::mkdtemp(path.data()) != nullptr);
    directory = *open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  }
  ~FakeCgroup() { (void)remove_tree(AT_FDCWD, path); }
  void add(const std::string& name, const std::string& text = "") const {
    REQUIRE(replace_file(directory.get(), name, text, 0644, Durability::until_reboot));
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    return read_file(directory.get(), name).value_or("?");
  }

  std::string path = "/tmp/emud-unit-XXXXXX";
  UniqueFd directory;
};

TEST_CASE("the stricter limit wins, and none is no limit") {
  const LeaseLimits both = stricter({.processes = 10, .memory = 0, .cpu_weight = 50, .seconds = 0},
                                    {.processes = 20, .memory = 7, .cpu_weight = 10, .seconds = 0});
  CHECK(both.processes == 10);
  CHECK(both.memory == 7);
  CHECK(both.cpu_weight == 10);
  CHECK(both.seconds == 0);
}

TEST_CASE("what a cgroup's controllers take is taken, the rest is left for the processes") {
  const FakeCgroup fake;
  for (const char* file : {"pids.max", "memory.max", "memory.swap.max"}) fake.add(file);
  const auto cgroup = Cgroup::open(fake.path);
  REQUIRE(cgroup);
  const auto left =
      limit_cgroup(*cgroup, {.processes = 5, .memory = 4096, .cpu_weight = 50, .seconds = 9});
  REQUIRE(left);
  CHECK(fake.read("pids.max") == "5");
  CHECK(fake.read("memory.max") == "4096");
  CHECK(fake.read("memory.swap.max") == "0");
  CHECK(left->processes == 0);
  CHECK(left->memory == 0);
  CHECK(left->cpu_weight == 50);
  CHECK(left->seconds == 9);
}

TEST_CASE("limits that were hit are told, others are not") {
  const FakeCgroup fake;
  fake.add("pids.events", "max 0\n");
  fake.add("memory.events", "low 0\nhigh 0\nmax 9\noom 2\noom_kill 2\n");
  const auto cgroup = Cgroup::open(fake.path);
  REQUIRE(cgroup);
  const auto notes = limits_that_were_hit(*cgroup);
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].find("lease-memory") != std::string::npos);
}

TEST_CASE("limits of a process: never raised, and inherited") {
  auto child = clone_child();
  REQUIRE(child);
  if (!*child) {
    const LeaseLimits limits{.processes = 77, .memory = 1 << 30, .cpu_weight = 10, .seconds = 0};
    rlimit processes{};
    rlimit data{};
    bool good = limit_process(limits).has_value();
    good = good && ::getrlimit(RLIMIT_NPROC, &processes) == 0 && processes.rlim_max == 77;
    good = good && ::getrlimit(RLIMIT_DATA, &data) == 0 && data.rlim_cur == 1 << 30;
    good = good && ::getpriority(PRIO_PROCESS, 0) >= 10;
    const LeaseLimits higher{.processes = 99, .memory = 0, .cpu_weight = 200, .seconds = 0};
    good = good && limit_process(higher).has_value();
    good = good && ::getrlimit(RLIMIT_NPROC, &processes) == 0 && processes.rlim_max == 77;
    ::_exit(good ? 0 : 1);
  }
  const auto ended = child->wait();
  REQUIRE(ended);
  CHECK(ended->code == 0);
}

}  // namespace
}  // namespace emud
