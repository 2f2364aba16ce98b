// Store: what is taken out of it, together or not at all, and never under a running lease.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "emulator/in_use.h"
#include "emulator/store.h"
#include "emulator/store_entry.h"
#include "emulator/temporary.h"
#include "support/catch.h"
#include "unit/emulator/fixtures.h"

namespace emud {
namespace {

using test::contains;
using test::value_of;

Manifest install_fake(const test::TestStore& test, std::string_view version) {
  const std::string path =
      test::compile(test.directory, "qemu-" + std::string{version}, test::fake_emulator(version));
  return value_of(test.store.install(test::open_file(path).get(), test::aarch64(), path));
}

TEST_CASE("several emulators are taken out together or not at all") {
  const test::TestStore test;
  const std::string old = install_fake(test, "7.2.1").digest;
  const std::string used = install_fake(test, "10.0.1").digest;
  {
    const auto emulator = value_of(test.store.find(test::aarch64(), "10.0.1"));
    const UniqueFd in_use = value_of(hold_entry(emulator));

    const std::array both{old, used};
    const auto busy = test.store.take_out(both);
    REQUIRE_FALSE(busy);
    CHECK(busy.error().code == Errc::busy);
    CHECK(busy.error().object == used);
    const std::array unknown{old, std::string(64, '0')};
    const auto missing = test.store.take_out(unknown);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == Errc::not_found);
    CHECK(missing.error().object == unknown[1]);
    CHECK(test.store.take_out(std::array{old, std::string{"x"}}).error().code ==
          Errc::invalid_argument);
    CHECK(test.store.sweep());
    CHECK(value_of(test.store.list()).size() == 2);

    const auto pruned = value_of(test.store.take_out_all_but({}));
    REQUIRE(pruned.size() == 1);
    CHECK(pruned.front().digest == old);
  }
  CHECK(test.store.take_out(std::array{used, used}));
  CHECK(value_of(test.store.list()).empty());
  CHECK_FALSE(test.names().empty());
  CHECK(test.store.sweep());
  CHECK(test.names().empty());
}

TEST_CASE("an emulator that is gone cannot be held") {
  const test::TestStore test;
  const std::string digest = install_fake(test, "10.0.1").digest;
  const auto emulator = value_of(test.store.find(test::aarch64()));
  REQUIRE(test.store.remove(digest));
  const auto held = hold_entry(emulator);
  REQUIRE_FALSE(held);
  CHECK(held.error().code == Errc::not_found);
  CHECK(install_fake(test, "10.0.1").digest == digest);
  CHECK_FALSE(hold_entry(emulator));  // another file of the same name
}

TEST_CASE("a lease without emud is known by the lock it holds") {
  const test::TestStore test;
  const std::string digest = install_fake(test, "10.0.1").digest;
  const auto emulator = value_of(test.store.find(test::aarch64()));
  const UniqueFd in_use = value_of(hold_entry(emulator));
  struct stat entry = {};
  REQUIRE(::stat(test.entry(digest).c_str(), &entry) == 0);
  CHECK(SharedLocks::read().leases_on(entry).empty());  // this program is no emuctl
  CHECK(test.store.holders().empty());
}

TEST_CASE("sweeping all waits for processes that are about to end") {
  const test::TestStore test;
  const auto store = value_of(make_store(test.paths.store()));
  int made[2];
  int go[2];
  REQUIRE(::pipe(made) == 0);
  REQUIRE(::pipe(go) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const auto temporary = TemporaryDirectory::make(store);
    char byte = temporary ? 'y' : 'n';
    (void)!::write(made[1], &byte, 1);
    (void)!::read(go[0], &byte, 1);
    ::usleep(100'000);  // so that the other one waits
    ::_exit(0);         // without removing it
  }
  char byte = 0;
  REQUIRE(::read(made[0], &byte, 1) == 1);
  REQUIRE(byte == 'y');
  CHECK(test.store.sweep());
  CHECK(test.names().size() == 1);
  REQUIRE(::write(go[1], "x", 1) == 1);
  CHECK(test.store.sweep(Sweep::all));
  CHECK(test.names().empty());
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  for (const int fd : {made[0], made[1], go[0], go[1]}) ::close(fd);
}

}  // namespace
}  // namespace emud
