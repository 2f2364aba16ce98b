// Store: many at once, a full disk, processes that die in the middle.
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "emulator/store.h"
#include "emulator/store_entry.h"
#include "emulator/temporary.h"
#include "support/catch.h"
#include "unit/emulator/fixtures.h"

namespace emud {
namespace {

using test::contains;

TEST_CASE("ten processes that install the same at once all succeed") {
  const test::TestStore test;
  const std::string path = test::machine_emulator();
  const UniqueFd file = test::open_file(path);
  std::vector<pid_t> children;
  for (int i = 0; i < 10; ++i) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::_exit(test.store.install(file.get(), test::aarch64(), path) &&
                      test.store.find(test::aarch64())
                  ? 0
                  : 1);
    }
    children.push_back(child);
    if (i == 5) CHECK(test.store.sweep());  // disturbs nobody
  }
  for (const pid_t child : children) {
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  CHECK(test.names() == std::vector{test::digest_of(path).hex()});
  CHECK(test.store.find(test::aarch64()));
}

TEST_CASE("what a killed installation leaves is swept, what runs is not") {
  const test::TestStore test;
  const auto store = make_store(test.paths.store());
  REQUIRE(store);
  // A child that holds a temporary directory with a file until it is killed.
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto temporary = TemporaryDirectory::make(*store);
    if (!temporary || ::openat(temporary->fd(), "qemu", O_CREAT | O_WRONLY | O_CLOEXEC, 0600) < 0) {
      ::_exit(1);
    }
    (void)!::write(ends[1], "x", 1);
    for (;;) ::pause();
  }
  const UniqueFd reading{ends[0]};
  ::close(ends[1]);  // the end of the child is the end of the pipe
  char byte = 0;
  REQUIRE(::read(reading.get(), &byte, 1) == 1);
  REQUIRE(test.names().size() == 1);
  CHECK(contains(test.names().front(), ".tmp-"));
  CHECK(test.store.list()->empty());

  CHECK(test.store.sweep());
  CHECK(test.names().size() == 1);

  REQUIRE(::kill(child, SIGKILL) == 0);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  test::write_file(test.paths.store() + "/.tmp-file", "left over");
  CHECK(test.store.sweep());
  CHECK(test.names().empty());
}

TEST_CASE("installations killed at any moment leave a good store") {
  const test::TestStore test;
  const std::string path = test::machine_emulator();
  const UniqueFd file = test::open_file(path);
  for (unsigned microseconds = 500; microseconds < 100'000; microseconds = microseconds * 5 / 4) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) ::_exit(test.store.install(file.get(), test::aarch64(), path) ? 0 : 1);
    ::usleep(microseconds);
    ::kill(child, SIGKILL);
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    REQUIRE(test.store.sweep());
    const auto list = test.store.list();
    REQUIRE(list);
    CHECK(test.names().size() == list->size());
    if (list->empty()) continue;
    CHECK(test.store.find(test::aarch64()));
    REQUIRE(test.store.remove(list->front().digest));
  }
}

// In the child, in a mount namespace of its own: 0 when a store on a full tmpfs does as it should.
int install_on_full_disk(const test::TestStore& test, const std::string& path) {
  const std::string& mount = test.directory.path();
  const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr)) {
    return 77;
  }
  if (::mount("tmpfs", mount.c_str(), "tmpfs", 0, "size=4m") != 0) return 77;
  const auto manifest = test.store.install(file.get(), test::aarch64(), path);
  if (manifest) return 1;
  if (manifest.error().errno_value != ENOSPC) return 2;
  if (!contains(manifest.error().hint, "Free some space")) return 3;
  if (!contains(manifest.error().message(), test.paths.store())) return 4;
  if (!test.store.list()->empty() || !std::filesystem::is_empty(test.paths.store())) return 5;
  if (::mount("tmpfs", mount.c_str(), "tmpfs", MS_REMOUNT, "size=64m") != 0) return 6;
  return test.store.install(file.get(), test::aarch64(), path) ? 0 : 7;
}

TEST_CASE("a full disk leaves nothing and is told as such") {
  if (::geteuid() != 0) return;  // cannot mount
  const test::TestStore test;
  const std::string path = test::machine_emulator();
  CHECK(test::in_child([&] { return install_on_full_disk(test, path); }) == 0);
}

TEST_CASE("a lock that anybody can take does not stop the store") {
  const test::TestStore test;
  std::filesystem::create_directories(test.paths.store());
  const UniqueFd somebody{::open(test.paths.store().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  REQUIRE(::flock(somebody.get(), LOCK_EX) == 0);  // needs no right to write
  CHECK(test.store.sweep());
  const auto store = test::value_of(open_store(test.paths.store()));
  CHECK(TemporaryDirectory::make(store));
  struct stat lock = {};
  REQUIRE(::stat((test.paths.state + "/store.lock").c_str(), &lock) == 0);
  CHECK((lock.st_mode & 07777U) == 0600);
}

TEST_CASE("a store that cannot be made says why") {
  const Store store{
      Paths{.state = "/dev/null/state", .runtime = "/dev/null", .socket = {}, .system_store = {}}};
  const std::string path = test::machine_emulator();
  const auto manifest = store.install(test::open_file(path).get(), test::aarch64(), path);
  REQUIRE_FALSE(manifest);
  CHECK(contains(manifest.error().message(), "/dev/null"));
  CHECK(manifest.error().errno_value == ENOTDIR);
}

}  // namespace
}  // namespace emud
