// install_file: binaries and packages, as emud-fetcher opens them.
#include "emulator/package.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "support/catch.h"
#include "unit/emulator/archives.h"
#include "unit/emulator/fixtures.h"

namespace emud {
namespace {

using test::contains;
using test::Member;
using test::tar_end;
using test::tar_member;
using test::value_of;

// Where the build has put emud-fetcher: beside the directory that ctest names.
void find_fetcher() {
  if (const char* bin = std::getenv("EMUD_BIN_DIR"); bin != nullptr) {
    ::setenv("EMUD_LIBEXEC", fmt::format("{}/../libexec/emud", bin).c_str(), 0);
  }
}

Result<std::vector<Manifest>> install(const test::TestStore& test, const std::string& path,
                                      const Architecture* wanted = nullptr) {
  find_fetcher();
  return install_file(test.store, test::open_file(path).get(), path, test::digest_of(path), wanted);
}

// A member that is an emulator for aarch64.
Member emulator_member(const std::string& path = "./usr/bin/qemu-aarch64-static") {
  return Member{.path = path, .content = test::contents(test::machine_emulator())};
}

// Writes the bytes to a file, which must be refused as a bad package for that reason.
void check_refused(const test::TestStore& test, std::string_view bytes, std::string_view reason) {
  const std::string path = test.directory / "bad.deb";
  test::write_file(path, bytes);
  const auto manifests = install(test, path);
  REQUIRE_FALSE(manifests);
  INFO(manifests.error().message());
  CHECK(manifests.error().code == Errc::bad_package);
  CHECK(contains(manifests.error().message(), path));
  CHECK(contains(manifests.error().reason, reason));
  CHECK_FALSE(manifests.error().hint.empty());
  CHECK(test.names().empty());
}

void check_members_refused(const test::TestStore& test, const std::vector<Member>& members,
                           std::string_view reason) {
  std::string data;
  for (const Member& member : members) data += tar_member(member);
  check_refused(test, test::deb(data + tar_end()), reason);
}

TEST_CASE("a binary is installed for the architecture of its name") {
  const test::TestStore test;
  const std::string path = test::machine_emulator();
  const auto manifests = value_of(install(test, path));
  REQUIRE(manifests.size() == 1);
  CHECK(manifests.front().architecture == "aarch64");
  CHECK(manifests.front().package_digest.empty());
  CHECK(test.store.find(test::architecture("aarch64")));
}

TEST_CASE("a binary whose name tells nothing needs an architecture") {
  const test::TestStore test;
  const std::string path = test.directory / "emulator";
  std::filesystem::copy(test::machine_emulator(), path);
  const auto unknown = install(test, path);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Errc::invalid_argument);
  CHECK(contains(unknown.error().hint, "--arch"));
  CHECK(install(test, path, &test::architecture("aarch64")));
}

TEST_CASE("a file with another digest is refused, and both digests are named") {
  const test::TestStore test;
  const std::string path = test::machine_emulator();
  const Digest wrong = value_of(Digest::parse(std::string(64, '0')));
  const auto manifests =
      install_file(test.store, test::open_file(path).get(), path, wrong, nullptr);
  REQUIRE_FALSE(manifests);
  CHECK(manifests.error().code == Errc::digest_mismatch);
  CHECK(contains(manifests.error().message(), wrong.hex()));
  CHECK(contains(manifests.error().message(), test::digest_of(path).hex()));
  CHECK(test.names().empty());
}

TEST_CASE("what is neither a program nor a package is refused") {
  const test::TestStore test;
  check_refused(test, "hello\n", "neither an ELF program nor a .deb package");
  check_refused(test, "", "neither");
  check_refused(test, "!<arch>", "neither");
}

TEST_CASE("the emulators of a package are installed") {
  const test::TestStore test;
  const std::string path = test.directory / "good.deb";
  const std::string emulator = test::machine_emulator();
  std::string data =
      tar_member({.path = "./", .content = {}, .type = '5'}) +
      tar_member({.path = "./usr/bin/", .content = {}, .type = '5'}) +
      tar_member(
          {.path = "./usr/bin/qemu-arm64", .content = {}, .type = '2', .target = "qemu-aarch64"});
  std::string_view name = "data.tar";
  std::string compress = "cat";
  SECTION("qemu-<arch>-static") {
    data += tar_member(emulator_member());
  }
  SECTION("qemu-<arch>") {
    data += tar_member(emulator_member("./usr/bin/qemu-aarch64"));
  }
  SECTION("both: the first is taken") {
    data += tar_member(emulator_member("./usr/bin/qemu-aarch64"));
    data += tar_member(emulator_member());
  }
  SECTION("compressed with gzip") {
    data += tar_member(emulator_member());
    name = "data.tar.gz";
    compress = "gzip -1";
  }
  SECTION("compressed with xz") {
    data += tar_member(emulator_member());
    name = "data.tar.xz";
    compress = "xz -0";
  }
  SECTION("compressed with zstd") {
    data += tar_member(emulator_member());
    name = "data.tar.zst";
    compress = "zstd -1";
    if (std::system("command -v zstd >/dev/null") != 0) return;
  }
  test::write_file(test.directory / "data", data + tar_end());
  test::shell(fmt::format("{1} < '{0}/data' > '{0}/packed'", test.directory.path(), compress));
  test::write_file(path, test::deb(test::contents(test.directory / "packed"), name));

  const auto manifests = value_of(install(test, path));
  REQUIRE(manifests.size() == 1);
  CHECK(manifests.front().architecture == "aarch64");
  CHECK(manifests.front().digest == test::digest_of(emulator).hex());
  CHECK(manifests.front().package_digest == test::digest_of(path).hex());
  CHECK(manifests.front().source == path);
  CHECK(value_of(test.store.list()) == manifests);
  CHECK(test.names().size() == 1);
  CHECK(install(test, path, &test::architecture("aarch64")));

  const auto other = install(test, path, &test::architecture("riscv64"));
  REQUIRE_FALSE(other);
  CHECK(other.error().code == Errc::bad_package);
  CHECK(contains(other.error().reason, "qemu-riscv64-static"));
}

TEST_CASE("of a package all or nothing is installed") {
  const test::TestStore test;
  const std::string path = test.directory / "half.deb";
  const Member wrong{.path = "usr/bin/qemu-riscv64", .content = "\177ELF and nothing more"};
  test::write_file(path, test::deb(tar_member(emulator_member()) + tar_member(wrong) + tar_end()));
  const auto manifests = install(test, path);
  REQUIRE_FALSE(manifests);
  CHECK(manifests.error().code == Errc::bad_emulator);
  CHECK(contains(manifests.error().message(), "usr/bin/qemu-riscv64"));
  CHECK(test.names().empty());

  // What was there before stays.
  const auto before = value_of(install(test, path, &test::architecture("aarch64")));
  CHECK_FALSE(install(test, path));
  CHECK(value_of(test.store.list()) == before);
}

TEST_CASE("packages that would write elsewhere are refused") {
  const test::TestStore test;
  check_members_refused(test, {{.path = "./usr/bin/../../etc/passwd", .content = "x"}}, "'..'");
  check_members_refused(test, {{.path = "../usr/bin/qemu-aarch64", .content = "x"}}, "'..'");
  check_members_refused(test, {{.path = "/usr/bin/qemu-aarch64", .content = "x"}}, "absolute");
  check_members_refused(test, {emulator_member(), {.path = "/etc/passwd", .content = "x"}},
                        "absolute");
}

TEST_CASE("emulators that are not plain files of the package are refused") {
  const test::TestStore test;
  const std::string path = "./usr/bin/qemu-aarch64-static";
  const auto member = [&](char type) {
    return Member{.path = path, .content = {}, .type = type, .target = "/bin/sh"};
  };
  check_members_refused(test, {member('2')}, "symbolic link");
  check_members_refused(test, {member('1')}, "hard link");
  check_members_refused(test, {member('3')}, path.substr(2) + ": it is neither a file");
  check_members_refused(test, {member('5')}, "not a regular file");
  check_members_refused(test, {member('6')}, path.substr(2) + ": it is neither a file");
}

TEST_CASE("packages with members that no package of emulators has are refused") {
  const test::TestStore test;
  const auto other = [](char type) {
    return Member{.path = "./dev/zero", .content = {}, .type = type, .target = "/etc/shadow"};
  };
  check_members_refused(test, {emulator_member(), other('1')}, "dev/zero: it is a hard link");
  for (const char type : {'3', '4', '6'}) {
    check_members_refused(test, {emulator_member(), other(type)}, "dev/zero: it is neither");
  }
}

TEST_CASE("packages with members below what is no directory are refused") {
  const test::TestStore test;
  const Member link{.path = "./usr/bin", .content = {}, .type = '2', .target = "/etc"};
  const Member file{.path = "./usr", .content = "x"};
  const std::string emulator = "usr/bin/qemu-aarch64-static";
  check_members_refused(test, {link, emulator_member()},
                        emulator + ": it is below 'usr/bin', which is not a directory");
  check_members_refused(test, {emulator_member(), link},
                        "usr/bin: it is not a directory, and '" + emulator + "' is below it");
  check_members_refused(test, {file, emulator_member()}, "below 'usr'");
  check_members_refused(test, {emulator_member(), file}, "usr: it is not a directory");
}

TEST_CASE("a package with a member twice is refused") {
  const test::TestStore test;
  check_members_refused(test, {emulator_member(), emulator_member()}, "twice");
  check_members_refused(
      test, {emulator_member(), emulator_member("usr//bin/./qemu-aarch64-static")}, "twice");
  const Member other{.path = "./usr/share/doc", .content = {}, .type = '5'};
  check_members_refused(test, {emulator_member(), other, other}, "usr/share/doc: the member comes");
}

TEST_CASE("bombs are refused") {
  const test::TestStore test;
  const auto hole = [](const std::string& path, std::uint64_t mebibytes) {
    return Member{.path = path, .content = "x", .type = 'S', .hole_size = mebibytes << 20};
  };
  SECTION("an emulator that is too large") {
    check_members_refused(test, {hole("usr/bin/qemu-aarch64", 300)}, "larger than 256 MiB");
  }
  SECTION("another member that is too large") {
    check_members_refused(test, {hole("usr/share/doc", 7000)}, "larger than 256 MiB");
  }
  SECTION("many members") {
    std::vector<Member> members;
    for (const char* name : {"a", "b", "c", "d", "e"}) members.push_back(hole(name, 250));
    check_members_refused(test, members, "larger than 1024 MiB unpacked");
  }
  SECTION("very many members") {
    std::string data;
    for (int i = 0; i < 100'001; ++i)
      data += tar_member({.path = std::to_string(i), .content = {}});
    check_refused(test, test::deb(data + tar_end()), "too many members");
  }
  SECTION("compressed zeros") {
    test::shell(fmt::format("head -c 400M /dev/zero | gzip -1 > '{}'", test.directory / "zeros"));
    std::string header = tar_member({.path = "usr/bin/qemu-arm", .content = {}});
    // 400 MiB as the size, and the checksum that fits it: one '3' and one '1' more than before.
    header.replace(124, 11, "03100000000");
    unsigned sum = 8 * ' ';
    for (std::size_t i = 0; i < 512; ++i) {
      if (i < 148 || i >= 156) sum += static_cast<unsigned char>(header[i]);
    }
    header.replace(148, 6, fmt::format("{:06o}", sum));
    test::write_file(test.directory / "header", header);
    test::shell(
        fmt::format("cd '{}' && gzip header && cat header.gz zeros > bomb", test.directory.path()));
    check_refused(test, test::deb(test::contents(test.directory / "bomb"), "data.tar.gz"),
                  "larger than 256 MiB");
  }
}

TEST_CASE("broken packages are refused") {
  const test::TestStore test;
  const std::string good = test::deb(tar_member(emulator_member()) + tar_end());
  check_refused(test, good.substr(0, good.size() / 2), "runcated");
  check_refused(test, good.substr(0, 100), "");
  check_refused(test, "!<arch>\n", "no data archive");
  check_refused(test, "!<arch>\n" + std::string(200, 'x'), "");
  check_refused(test, "!<arch>\n" + test::ar_member("hello.o", "x"), "no Debian package");
  check_refused(test, "!<arch>\n" + test::ar_member("debian-binary", "2.0\n"), "no data archive");
  check_refused(test, test::deb("not a tar archive at all"), "");
  check_refused(test, test::deb("not compressed with xz", "data.tar.xz"), "");
  check_refused(test, test::deb(tar_end()), "no usr/bin/qemu-<arch>");
  const std::string empty = tar_end();
  check_refused(test, test::deb(empty) + test::ar_member("data.tar.gz", empty),
                "two data archives");
}

// Puts a program in the place of emud-fetcher.
class FakeFetcher {
 public:
  FakeFetcher(const test::ScratchDirectory& directory, std::string_view body) {
    (void)test::compile(directory, "emud-fetcher", body);
    ::setenv("EMUD_LIBEXEC", directory.path().c_str(), 1);
  }
  FakeFetcher(const FakeFetcher&) = delete;
  FakeFetcher& operator=(const FakeFetcher&) = delete;
  ~FakeFetcher() {
    if (old_.empty()) {
      ::unsetenv("EMUD_LIBEXEC");
    } else {
      ::setenv("EMUD_LIBEXEC", old_.c_str(), 1);
    }
  }

 private:
  const char* value_ = std::getenv("EMUD_LIBEXEC");
  std::string old_ = value_ != nullptr ? value_ : "";
};

TEST_CASE("an emud-fetcher that fails is told, and nothing is left") {
  const test::TestStore test;
  const test::ScratchDirectory helpers;
  const std::string path = test.directory / "good.deb";
  test::write_file(path, test::deb(tar_member(emulator_member()) + tar_end()));
  const auto failure = [&] {
    const auto manifests = install(test, path);
    REQUIRE_FALSE(manifests);
    CHECK(contains(manifests.error().message(), path));
    CHECK_FALSE(manifests.error().hint.empty());
    CHECK(test.names().empty());
    return manifests.error();
  };
  SECTION("killed") {
    const FakeFetcher fake{helpers, "raise(SIGKILL);"};
    const Error error = failure();
    CHECK(error.code == Errc::system);
    CHECK(contains(error.message(), "was killed by signal 9"));
  }
  SECTION("out of processor time") {
    const FakeFetcher fake{helpers, "raise(SIGXCPU);"};
    CHECK(failure().code == Errc::bad_package);
  }
  SECTION("with an error of its own") {
    const FakeFetcher fake{helpers, "fputs(\"no space\\n\", stderr); return 1;"};
    const Error error = failure();
    CHECK(error.code == Errc::system);
    CHECK(contains(error.message(), "exited with status 1: no space"));
  }
  SECTION("lying") {
    const FakeFetcher fake{helpers, "puts(\"usr/bin/qemu-aarch64 5\"); return 0;"};
    CHECK(failure().code == Errc::protocol);
  }
  SECTION("not there") {
    const FakeFetcher fake{helpers, "return 0;"};
    std::filesystem::remove(helpers / "emud-fetcher");
    const auto missing = install(test, path);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == Errc::not_found);
    CHECK(contains(missing.error().hint, "EMUD_LIBEXEC"));
  }
}

}  // namespace
}  // namespace emud
