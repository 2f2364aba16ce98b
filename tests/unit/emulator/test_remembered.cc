// What was found good is had again without looking into it, as long as it is the very file.
#include "emulator/remembered.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "support/catch.h"
#include "unit/emulator/fixtures.h"

namespace emud {
namespace {

using test::value_of;

// An emulator that an interpreter was composed from, and one of the two files, which is to change.
struct RememberedStore {
  explicit RememberedStore(const std::string& file = "run/qemu-aarch64")
      : binary(test.entry(emulator.manifest().digest) + "/" + file) {}

  test::TestStore test;
  VerifiedEmulator emulator = install(test);
  RememberedEmulator remembered{emulator};
  std::string binary;

  static VerifiedEmulator install(const test::TestStore& test) {
    const std::string program =
        test::compile(test.directory, "fake", test::fake_emulator("9.0.0"), "-static-pie");
    const auto manifest =
        value_of(test.store.install(test::open_file(program).get(), test::aarch64(), program));
    return value_of(test.store.get(manifest.digest));
  }

  // Other content of the same length, the times of the file as far as a program can set them.
  void change_content() const {
    struct stat before = {};
    REQUIRE(::stat(binary.c_str(), &before) == 0);
    REQUIRE(::chmod(binary.c_str(), 0755) == 0);
    {
      const UniqueFd file{::open(binary.c_str(), O_WRONLY | O_CLOEXEC)};
      REQUIRE(::pwrite(file.get(), "?", 1, 4321) == 1);
      const timespec times[] = {before.st_atim, before.st_mtim};
      REQUIRE(::futimens(file.get(), times) == 0);
    }
    REQUIRE(::chmod(binary.c_str(), 0555) == 0);
  }
};

}  // namespace

TEST_CASE("a remembered emulator is the same, with its bytes open") {
  const RememberedStore store;
  for (int time = 0; time < 2; ++time) {
    const auto again = store.remembered.open();
    REQUIRE(again);
    CHECK(again->manifest() == store.emulator.manifest());
    CHECK(again->interpreter() == store.emulator.interpreter());
    CHECK(again->interpreter() == store.binary);
    CHECK(again->fd() != store.emulator.fd());
    CHECK(Digest::of_file(again->fd(), "it")->hex() == store.emulator.manifest().interpreter);
  }
}

TEST_CASE("a remembered emulator holds no file open") {
  const RememberedStore store;
  const auto open_files = [] {
    return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {});
  };
  const auto before = open_files();
  const RememberedEmulator another{store.emulator};
  CHECK(open_files() == before);
  CHECK(another.open());
  CHECK(open_files() == before);
}

TEST_CASE("a remembered emulator whose file was changed is looked into anew") {
  const RememberedStore store{GENERATE(as<std::string>{}, "qemu-aarch64", "run/qemu-aarch64")};
  store.change_content();
  CHECK_FALSE(store.remembered.open());
  const auto anew = store.test.store.get(store.emulator.manifest().digest);
  REQUIRE_FALSE(anew);
  CHECK(anew.error().code == Errc::digest_mismatch);
}

TEST_CASE("a remembered emulator whose file was touched is looked into anew") {
  const RememberedStore store{GENERATE(as<std::string>{}, "qemu-aarch64", "run/qemu-aarch64")};
  SECTION("its times") {
    REQUIRE(::utimensat(AT_FDCWD, store.binary.c_str(), nullptr, 0) == 0);
  }
  SECTION("its mode") {
    REQUIRE(::chmod(store.binary.c_str(), 0755) == 0);
    REQUIRE(::chmod(store.binary.c_str(), 0555) == 0);
  }
  SECTION("its links") {
    std::filesystem::create_hard_link(store.binary, store.binary + "-2");
  }
  CHECK_FALSE(store.remembered.open());
  const auto anew = value_of(store.test.store.get(store.emulator.manifest().digest));
  CHECK(RememberedEmulator{anew}.open());
}

TEST_CASE("a remembered emulator whose file was replaced is looked into anew") {
  const RememberedStore store{GENERATE(as<std::string>{}, "qemu-aarch64", "run/qemu-aarch64")};
  const std::string other = store.binary + ".new";
  SECTION("by the same bytes") {
    std::filesystem::copy_file(store.binary, other);
  }
  SECTION("by others of the same length") {
    test::write_file(other, std::string(std::filesystem::file_size(store.binary), '?'), 0555);
  }
  SECTION("by a link to them") {
    std::filesystem::rename(store.binary, store.binary + ".old");
    std::filesystem::create_symlink(store.binary + ".old", other);
  }
  std::filesystem::rename(other, store.binary);
  CHECK_FALSE(store.remembered.open());
}

TEST_CASE("a remembered emulator is gone when the store has removed it") {
  const RememberedStore store;
  const std::string digest = store.emulator.manifest().digest;
  SECTION("removed") {
    REQUIRE(store.test.store.remove(digest));
  }
  SECTION("taken out, not swept yet") {
    REQUIRE(store.test.store.take_out({&digest, 1}));
  }
  SECTION("moved aside by verify") {
    store.change_content();
    REQUIRE(value_of(store.test.store.verify()).front().problem);
  }
  SECTION("removed and installed again") {
    REQUIRE(store.test.store.remove(digest));
    CHECK(RememberedStore::install(store.test).manifest().digest == digest);
  }
  CHECK_FALSE(store.remembered.open());
}

}  // namespace emud
