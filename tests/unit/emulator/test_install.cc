// Store: what is let in and what is not.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "emulator/store.h"
#include "support/catch.h"
#include "unit/emulator/fixtures.h"

namespace emud {
namespace {

using test::contains;
using test::value_of;

Error refused(const test::TestStore& test, const std::string& path,
              std::string_view architecture = "aarch64") {
  const auto manifest =
      test.store.install(test::open_file(path).get(), test::architecture(architecture), path);
  REQUIRE_FALSE(manifest);
  INFO(manifest.error().message());
  CHECK(contains(manifest.error().message(), path));
  CHECK_FALSE(manifest.error().hint.empty());
  CHECK(test.names().empty());  // no temporary either
  return manifest.error();
}

TEST_CASE("a digest that was promised must be kept") {
  const test::TestStore test;
  const std::string path = test::machine_emulator();
  const UniqueFd file = test::open_file(path);
  const std::string wrong(64, '0');
  const auto manifest = test.store.install(file.get(), test::aarch64(), path, {}, wrong);
  REQUIRE_FALSE(manifest);
  CHECK(manifest.error().code == Errc::digest_mismatch);
  CHECK(contains(manifest.error().message(), wrong));
  CHECK(contains(manifest.error().message(), test::digest_of(path).hex()));
  CHECK(test.names().empty());
  const std::string package(64, 'b');
  const auto good =
      test.store.install(file.get(), test::aarch64(), path, package, test::digest_of(path).hex());
  REQUIRE(good);
  CHECK(good->package_digest == package);
}

TEST_CASE("installing twice is installing once") {
  const test::TestStore test;
  const std::string path = test::machine_emulator();
  const UniqueFd file = test::open_file(path);
  const Manifest first = value_of(test.store.install(file.get(), test::aarch64(), path));
  const Manifest second = value_of(test.store.install(file.get(), test::aarch64(), "another name"));
  CHECK(first == second);
  CHECK(test.names().size() == 1);
  // The same bytes do not become the emulator of another architecture.
  const auto other = test.store.install(file.get(), test::architecture("arm"), path);
  REQUIRE_FALSE(other);
  CHECK(other.error().code == Errc::bad_emulator);
}

TEST_CASE("real programs that are no emulators are refused") {
  const test::TestStore test;
  SECTION("a text") {
    test::write_file(test.directory / "text", "#!/bin/sh\necho qemu-aarch64 version 7.2.0\n", 0755);
    CHECK(refused(test, test.directory / "text").code == Errc::bad_emulator);
  }
  SECTION("nothing") {
    test::write_file(test.directory / "empty", "");
    CHECK(refused(test, test.directory / "empty").code == Errc::bad_emulator);
  }
  SECTION("a dynamic program") {
    const Error error = refused(test, "/bin/ls");
    CHECK(error.code == Errc::bad_emulator);
    CHECK(contains(error.reason, "dynamically linked"));
    CHECK(contains(error.hint, "qemu-user-static"));
  }
  SECTION("a dynamic emulator") {
    const std::string path =
        test::compile(test.directory, "dynamic", test::fake_emulator("7.2.0"), "");
    CHECK(contains(refused(test, path).reason, "dynamically linked"));
  }
  SECTION("another static program") {
    const Error error = refused(test, "/bin/busybox");
    CHECK(error.code == Errc::bad_emulator);
    CHECK(contains(error.reason, "asked for its version"));
  }
  SECTION("the emulator of another architecture") {
    const Error error = refused(test, test::machine_emulator(), "riscv64");
    CHECK(error.code == Errc::bad_emulator);
    CHECK(contains(error.reason, "it emulates aarch64, not riscv64"));
    CHECK(contains(error.hint, "--arch aarch64"));
  }
  SECTION("a program for another machine") {
    std::string bytes = test::contents("/bin/busybox");
    const bool is_little_endian = bytes[5] == 1;
    bytes[is_little_endian ? 18 : 19] = 22;  // e_machine: EM_S390
    test::write_file(test.directory / "foreign", bytes, 0755);
    const Error error = refused(test, test.directory / "foreign");
    CHECK(error.code == Errc::bad_emulator);
    CHECK(contains(error.reason, "not a program for this machine"));
  }
}

TEST_CASE("a truncated emulator is refused, wherever it was cut") {
  const test::TestStore test;
  const std::string bytes = test::contents(test::machine_emulator());
  for (const std::size_t size : {std::size_t{3}, std::size_t{17}, std::size_t{63}, std::size_t{100},
                                 std::size_t{5000}, bytes.size() / 2, bytes.size() * 9 / 10}) {
    INFO(size);
    test::write_file(test.directory / "cut", bytes.substr(0, size), 0755);
    CHECK(refused(test, test.directory / "cut").code == Errc::bad_emulator);
  }
}

TEST_CASE("emulators that misbehave are refused") {
  const test::TestStore test;
  const auto reason = [&](std::string_view body) {
    const Error error = refused(test, test::compile(test.directory, "bad", body));
    CHECK(error.code == Errc::bad_emulator);
    return error.message();
  };
  CHECK(contains(reason("abort();"), "killed by signal 6"));
  CHECK(contains(reason("return 0;"), "printed nothing"));
  CHECK(contains(reason("for (;;) puts(\"0123456789\");"), "more than 65536 bytes"));
  CHECK(contains(reason(test::fake_emulator("7.2.0", "wrong")), "printed 'wrong'"));
  CHECK(contains(reason(test::fake_emulator("7.2.0", "")), "printed nothing"));
  CHECK(contains(reason(test::fake_emulator("../../x")), "not 'qemu-aarch64 version"));
}

TEST_CASE("an emulator that hangs is given up after ten seconds", "[slow]") {
  const test::TestStore test;
  const Error error = refused(test, test::compile(test.directory, "bad", "for (;;) pause();"));
  CHECK(error.code == Errc::bad_emulator);
  CHECK(contains(error.message(), "10 s"));
}

TEST_CASE("an emulator in question can neither write nor keep what it is given") {
  const test::TestStore test;
  // It writes through its own descriptor and through /proc: refused, the file is read-only.
  const std::string body =
      "if (open(\"/proc/self/exe\", O_WRONLY) >= 0 || chmod(\"/proc/self/exe\", 0777) == 0 ||\n"
      "    getuid() == 0 || fcntl(3, F_GETFD) >= 0 && argc > 1 && argv[1][0] == '-')\n"
      "  abort();\n" +
      test::fake_emulator("7.2.0");
  if (::geteuid() != 0) return;  // its owner may write it
  const std::string path = test::compile(test.directory, "curious", body);
  CHECK(value_of(test.store.install(test::open_file(path).get(), test::aarch64(), path)).version ==
        "7.2.0");
}

TEST_CASE("only regular files of a sane size are read") {
  const test::TestStore test;
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd reading{ends[0]};
  const UniqueFd writing{ends[1]};
  const auto piped = test.store.install(reading.get(), test::aarch64(), "a pipe");
  REQUIRE_FALSE(piped);
  CHECK(piped.error().code == Errc::invalid_argument);
  CHECK(contains(piped.error().message(), "not a regular file"));
  CHECK(test.store.install(test::open_file("/").get(), test::aarch64(), "/").error().code ==
        Errc::invalid_argument);
  CHECK(test.store.install(test::open_file("/dev/zero").get(), test::aarch64(), "zero")
            .error()
            .code == Errc::invalid_argument);

  test::write_file(test.directory / "huge", "");
  REQUIRE(::truncate((test.directory / "huge").c_str(), (off_t{256} << 20) + 1) == 0);
  const Error error = refused(test, test.directory / "huge");
  CHECK(error.code == Errc::limit_exceeded);
  CHECK(contains(error.message(), "256 MiB"));
}

TEST_CASE("the machine's own emulator is adopted") {
  const test::TestStore test;
  std::filesystem::create_directories(test.directory / "bin");
  const std::string machine = test.directory / "bin/qemu-aarch64-static";

  SECTION("where there is none, the error says what to install") {
    const auto none = test.store.adopt_machine_emulator(test::aarch64());
    REQUIRE_FALSE(none);
    CHECK(none.error().code == Errc::not_found);
    CHECK(contains(none.error().hint, "qemu-user-static"));
    CHECK(test.names().empty());
  }
  SECTION("a static one, once") {
    std::filesystem::copy(test::machine_emulator(), machine);
    const auto first = test.store.adopt_machine_emulator(test::aarch64());
    REQUIRE(first);
    CHECK(first->source == machine);
    CHECK(*first == value_of(test.store.adopt_machine_emulator(test::aarch64())));
    // Gone from the store, it is adopted again.
    REQUIRE(test.store.remove(first->digest));
    CHECK(test.store.adopt_machine_emulator(test::aarch64()));
    CHECK(test.names() == std::vector{first->digest});
  }
  SECTION("a new one is seen") {
    const auto put = [&](std::string_view version) {
      const std::string path = test::compile(test.directory, version, test::fake_emulator(version));
      std::filesystem::rename(path, machine);
    };
    put("9.0.0");
    CHECK(value_of(test.store.adopt_machine_emulator(test::aarch64())).version == "9.0.0");
    put("9.0.1");
    CHECK(value_of(test.store.adopt_machine_emulator(test::aarch64())).version == "9.0.1");
    CHECK(test.store.find(test::aarch64())->manifest().version == "9.0.1");
  }
  SECTION("repeating it reads nothing") {
    std::filesystem::copy(test::machine_emulator(), machine);
    const auto first = test.store.adopt_machine_emulator(test::aarch64());
    REQUIRE(first);
    const std::string note = test.paths.runtime + "/machine/aarch64";
    // A note that names another emulator of the store is believed.
    const std::string fake = test::compile(test.directory, "fake", test::fake_emulator("9.0.0"));
    const auto other = test.store.install(test::open_file(fake).get(), test::aarch64(), fake);
    REQUIRE(other);
    const std::string text = test::contents(note);
    test::write_file(note, text.substr(0, text.find('\n') + 1) + other->digest);
    CHECK(value_of(test.store.adopt_machine_emulator(test::aarch64())) == *other);
  }
  SECTION("qemu-<arch> where qemu-<arch>-static is dynamic") {
    std::filesystem::copy("/bin/ls", machine);
    const auto dynamic = test.store.adopt_machine_emulator(test::aarch64());
    REQUIRE_FALSE(dynamic);
    CHECK(dynamic.error().code == Errc::bad_emulator);
    CHECK(contains(dynamic.error().hint, "qemu-user-static"));
    std::filesystem::copy(test::machine_emulator(), test.directory / "bin/qemu-aarch64");
    CHECK(test.store.adopt_machine_emulator(test::aarch64()));
  }
}

}  // namespace
}  // namespace emud
