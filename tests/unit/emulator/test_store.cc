// Store: looking for emulators and trusting them.
#include "emulator/store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "support/catch.h"
#include "unit/emulator/fixtures.h"

namespace emud {
namespace {

using test::contains;
using test::value_of;

// Installs a fake emulator of that version. From a static PIE an interpreter is composed.
Manifest install_some(const test::TestStore& test, std::string_view version,
                      std::string_view flags = "-static") {
  const std::string program = test::compile(test.directory, fmt::format("fake-{}", version),
                                            test::fake_emulator(version), flags);
  return value_of(test.store.install(test::open_file(program).get(), test::aarch64(), program));
}

// Writes a byte into the stored binary, as only its owner can.
void change_byte(const std::string& binary) {
  REQUIRE(::chmod(binary.c_str(), 0755) == 0);
  {
    const UniqueFd file{::open(binary.c_str(), O_WRONLY | O_CLOEXEC)};
    REQUIRE(::pwrite(file.get(), "?", 1, 4321) == 1);
  }
  REQUIRE(::chmod(binary.c_str(), 0555) == 0);
}

TEST_CASE("an absent store is an empty one") {
  const test::TestStore test;
  CHECK(test.store.list()->empty());
  CHECK(test.store.sweep());
  const auto found = test.store.find(test::aarch64());
  REQUIRE_FALSE(found);
  CHECK(found.error().code == Errc::not_found);
  CHECK(contains(found.error().message(), "aarch64"));
  CHECK(contains(found.error().hint, "emuctl emulator install"));
  CHECK(test.store.remove(std::string(64, '0')).error().code == Errc::not_found);
  CHECK_FALSE(std::filesystem::exists(test.paths.state));
}

TEST_CASE("what was installed is found, verified, with its bytes open") {
  const test::TestStore test;
  const std::string given = test::machine_emulator();
  const auto manifest = test.store.install(test::open_file(given).get(), test::aarch64(), given);
  REQUIRE(manifest);
  CHECK(manifest->architecture == "aarch64");
  CHECK(manifest->digest == test::digest_of(given).hex());
  CHECK(manifest->source == given);
  CHECK(value_of(test.store.list()) == std::vector{*manifest});

  const auto found = test.store.find(test::aarch64());
  REQUIRE(found);
  CHECK(found->manifest() == *manifest);
  CHECK(test::digest_of(test.entry(manifest->digest) + "/qemu-aarch64").hex() == manifest->digest);
  const std::string& wanted =
      manifest->interpreter.empty() ? manifest->digest : manifest->interpreter;
  CHECK(test::digest_of(found->interpreter()).hex() == wanted);
  CHECK(Digest::of_file(found->fd(), "it")->hex() == wanted);
  test::shell(fmt::format("'{}' --version | grep -q 'version {} '", found->interpreter(),
                          manifest->version));
  CHECK_FALSE(test.store.find(test::architecture("riscv64")));
}

TEST_CASE("the store is read-only and readable by everybody") {
  const test::TestStore test;
  const Manifest manifest = install_some(test, "9.0.0");
  const auto mode = [](const std::string& path) {
    struct stat status = {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777U;
  };
  CHECK(mode(test.paths.store()) == 0755);
  CHECK(mode(test.entry(manifest.digest)) == 0755);
  CHECK(mode(test.entry(manifest.digest) + "/qemu-aarch64") == 0555);
  CHECK(mode(test.entry(manifest.digest) + "/manifest.json") == 0444);
  CHECK(test.names() == std::vector{manifest.digest});
}

TEST_CASE("the newest version is taken, or the one that is wished for") {
  const test::TestStore test;
  for (const char* version : {"7.2.9", "10.0.3", "7.2.18"}) install_some(test, version);
  const auto version_of = [&](std::string_view wish) -> std::string {
    const auto found = test.store.find(test::aarch64(), wish);
    return found ? found->manifest().version : found.error().message();
  };
  CHECK(version_of("") == "10.0.3");
  CHECK(version_of("7") == "7.2.18");
  CHECK(version_of("7.2.9") == "7.2.9");
  CHECK(contains(version_of("7.2.1"), "10.0.3, 7.2.18, 7.2.9"));
  const auto list = test.store.list();
  REQUIRE(list);
  REQUIRE(list->size() == 3);
  CHECK(list->front().version == "10.0.3");
  CHECK(list->back().version == "7.2.9");
}

TEST_CASE("a changed byte is found, also when the file was found good before") {
  const test::TestStore test;
  const Manifest manifest = install_some(test, "9.0.0", "-static-pie");
  REQUIRE(test.store.find(test::aarch64()));
  REQUIRE(std::filesystem::exists(test.paths.runtime + "/verified/" + manifest.digest));
  REQUIRE(test.store.find(test::aarch64()));

  const std::string file = GENERATE(as<std::string>{}, "/qemu-aarch64", "/run/qemu-aarch64");
  change_byte(test.entry(manifest.digest) + file);
  const auto found = test.store.find(test::aarch64());
  REQUIRE_FALSE(found);
  CHECK(found.error().code == Errc::digest_mismatch);
  CHECK(contains(found.error().message(), manifest.digest + file));
  CHECK(contains(found.error().hint, "emuctl emulator remove " + manifest.digest));

  SECTION("installing it again repairs it") {
    install_some(test, "9.0.0", "-static-pie");
    CHECK(test.store.find(test::aarch64()));
    CHECK(test.names() == std::vector{manifest.digest});
  }
  SECTION("it is moved aside by verify") {
    const auto checked = value_of(test.store.verify());
    REQUIRE(checked.size() == 1);
    REQUIRE(checked.front().problem);
    CHECK(checked.front().problem->code == Errc::digest_mismatch);
    CHECK(test.names().empty());
  }
  SECTION("it can be removed") {
    CHECK(test.store.remove(manifest.digest));
    CHECK(test.names().empty());
    CHECK(std::filesystem::is_empty(test.paths.runtime + "/verified"));
  }
}

TEST_CASE("a verification is remembered for the very file only") {
  const test::TestStore test;
  const Manifest manifest = install_some(test, "9.0.0");
  REQUIRE(test.store.find(test::aarch64()));
  const std::string note = test.paths.runtime + "/verified/" + manifest.digest;
  const std::string binary = test.entry(manifest.digest) + "/qemu-aarch64";

  // Proof that the bytes are not read again: with the memory forged for a changed file, it passes.
  change_byte(binary);
  struct stat status = {};
  REQUIRE(::stat(binary.c_str(), &status) == 0);
  std::string text = test::contents(note);
  const std::string boot = text.substr(0, text.find(' '));
  text = fmt::format("{} {} {} {} {}.{:09} {}.{:09}\n{}", boot, status.st_dev, status.st_ino,
                     status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                     status.st_ctim.tv_sec, status.st_ctim.tv_nsec, manifest.digest);
  test::write_file(note, text);
  CHECK(test.store.find(test::aarch64()));

  SECTION("not after a reboot") {
    test::write_file(note, "00000000-0000-0000-0000-000000000000" + text.substr(boot.size()));
    CHECK_FALSE(test.store.find(test::aarch64()));
  }
  SECTION("not for a note of another form") {
    test::write_file(note, text.substr(0, text.size() / 2));
    CHECK_FALSE(test.store.find(test::aarch64()));
    test::write_file(note, "");
    CHECK_FALSE(test.store.find(test::aarch64()));
  }
  SECTION("not from a note that others can write") {
    REQUIRE(::chmod(note.c_str(), 0666) == 0);
    CHECK_FALSE(test.store.find(test::aarch64()));
  }
}

TEST_CASE("without a runtime directory emulators are found all the same") {
  const test::ScratchDirectory directory;
  Paths paths = test::paths_in(directory.path());
  SECTION("one that cannot be made") {
    paths.runtime = "/dev/null/run";
  }
  SECTION("one that is a file") {
    test::write_file(directory / "file", "");
    paths.runtime = directory / "file";
  }
  const Store store{paths};
  const std::string program = test::compile(directory, "fake", test::fake_emulator("9.0.0"));
  REQUIRE(store.install(test::open_file(program).get(), test::aarch64(), program));
  CHECK(store.find(test::aarch64()));
  CHECK(store.find(test::aarch64()));
}

TEST_CASE("entries that cannot be trusted are left out") {
  const test::TestStore test;
  const Manifest manifest = install_some(test, "9.0.0", "-static-pie");
  const std::string entry = test.entry(manifest.digest);
  const std::string binary =
      entry + GENERATE(as<std::string>{}, "/qemu-aarch64", "/run/qemu-aarch64");
  REQUIRE(test.store.list()->size() == 1);
  const auto is_left_out = [&] {
    return test.store.list()->empty() && !test.store.find(test::aarch64());
  };

  SECTION("a binary that is a symbolic link") {
    std::filesystem::rename(binary, entry + "/real");
    std::filesystem::create_symlink("real", binary);
    CHECK(is_left_out());
  }
  SECTION("an entry that is a symbolic link") {
    std::filesystem::rename(entry, test.directory / "elsewhere");
    std::filesystem::create_symlink(test.directory / "elsewhere", entry);
    CHECK(is_left_out());
  }
  SECTION("a binary that is a FIFO") {
    std::filesystem::remove(binary);
    REQUIRE(::mkfifo(binary.c_str(), 0555) == 0);
    CHECK(is_left_out());
  }
  SECTION("a manifest that is missing") {
    std::filesystem::remove(entry + "/manifest.json");
    CHECK(is_left_out());
  }
  SECTION("a manifest that speaks of another digest") {
    std::filesystem::rename(entry, test.entry(std::string(64, 'a')));
    CHECK(is_left_out());
  }
  SECTION("a manifest that is none") {
    std::filesystem::remove(entry + "/manifest.json");
    test::write_file(entry + "/manifest.json", "{", 0444);
    CHECK(is_left_out());
  }
  SECTION("files that others can write") {
    const std::string path = entry + GENERATE(as<std::string>{}, "", "/qemu-aarch64",
                                              "/run/qemu-aarch64", "/manifest.json");
    REQUIRE(::chmod(path.c_str(), 0777) == 0);
    CHECK(is_left_out());
  }
  SECTION("files of another user") {
    if (::geteuid() != 0) return;
    const std::string path = entry + GENERATE(as<std::string>{}, "", "/qemu-aarch64",
                                              "/run/qemu-aarch64", "/manifest.json");
    REQUIRE(::chown(path.c_str(), 65533, 0) == 0);
    CHECK(is_left_out());
  }
}

TEST_CASE("a store that others can write is refused") {
  const test::TestStore test;
  install_some(test, "9.0.0");
  REQUIRE(::chmod(test.paths.store().c_str(), 0777) == 0);
  const auto list = test.store.list();
  REQUIRE_FALSE(list);
  CHECK(list.error().code == Errc::permission_denied);
  CHECK(contains(list.error().message(), "others may write it (mode 0777)"));
}

TEST_CASE("the system's store is read too, and never changed") {
  const test::TestStore system;
  const Manifest of_system = install_some(system, "10.0.0");
  const test::ScratchDirectory directory;
  Paths paths = test::paths_in(directory.path());
  paths.system_store = system.paths.store();
  const Store store{paths};
  CHECK(value_of(store.list()) == std::vector{of_system});
  CHECK(store.find(test::aarch64())->interpreter() ==
        system.entry(of_system.digest) + "/qemu-aarch64");
  CHECK(store.remove(of_system.digest).error().code == Errc::not_found);

  const std::string program = test::compile(directory, "fake", test::fake_emulator("7.2.0"));
  const auto own = store.install(test::open_file(program).get(), test::aarch64(), program);
  REQUIRE(own);
  CHECK(value_of(store.list()) == std::vector{of_system, *own});
  CHECK(system.names() == std::vector{of_system.digest});

  paths.system_store = directory / "nowhere";
  CHECK(value_of(Store{paths}.list()) == std::vector{*own});
}

TEST_CASE("an emulator is removed by digest") {
  const test::TestStore test;
  const Manifest manifest = install_some(test, "9.0.0");
  CHECK(test.store.remove("sha256").error().code == Errc::invalid_argument);
  CHECK(test.store.remove(manifest.digest));
  CHECK(test.names().empty());
  const auto again = test.store.remove(manifest.digest);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == Errc::not_found);
}

}  // namespace
}  // namespace emud
