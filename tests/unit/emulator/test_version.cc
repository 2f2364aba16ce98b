#include "emulator/version.h"
#include "support/catch.h"

namespace emud {
namespace {

TEST_CASE("versions are digits and dots") {
  for (const char* good : {"7", "7.2", "7.2.18", "10.0.13", "10.0.90"}) CHECK(is_version(good));
  for (const char* bad :
       {"", ".", "7.", ".7", "7..2", "7.2-rc1", "v7", " 7", "1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1"}) {
    INFO(bad);
    CHECK_FALSE(is_version(bad));
  }
}

TEST_CASE("versions are compared number by number") {
  CHECK((compare_versions("10.0", "7.2.18") > 0));
  CHECK((compare_versions("7.2.9", "7.2.18") < 0));
  CHECK((compare_versions("7.2.18", "7.2.18") == 0));
  CHECK((compare_versions("7.2", "7.2.0") < 0));
  CHECK((compare_versions("7.2.1", "7.2") > 0));
  CHECK((compare_versions("99999999999999999999", "7") > 0));
}

TEST_CASE("a wish is a version or its beginning up to a dot") {
  CHECK(version_matches("7.2.18", ""));
  CHECK(version_matches("7.2.18", "7"));
  CHECK(version_matches("7.2.18", "7.2"));
  CHECK(version_matches("7.2.18", "7.2.18"));
  CHECK_FALSE(version_matches("7.20", "7.2"));
  CHECK_FALSE(version_matches("7.2.18", "7.2.1"));
  CHECK_FALSE(version_matches("7.2.18", "7.2."));
  CHECK_FALSE(version_matches("7.2", "7.2.18"));
}

TEST_CASE("QEMU's banner tells architecture and version") {
  const auto banner = parse_banner(
      "qemu-aarch64 version 7.2.18 (Debian 1:7.2+dfsg-7+deb12u18)\nCopyright (c) 2003-2022\n");
  REQUIRE(banner);
  CHECK(banner->architecture == "aarch64");
  CHECK(banner->version == "7.2.18");
  CHECK(parse_banner("qemu-x86_64 version 9.1.2\n")->architecture == "x86_64");
  CHECK(parse_banner("qemu-arm version 10.1.0-rc2")->version == "10.1.0");
}

TEST_CASE("other output is no banner") {
  for (const char* text :
       {"", "\n", "qemu-", "qemu- version 7.2", "qemu-arm version", "qemu-arm version x",
        "qemu-arm version 7.2.", "QEMU emulator version 7.2.18", "qemu-../x version 7.2",
        "qemu-arm 7.2", "\nqemu-arm version 7.2", "BusyBox v1.35.0"}) {
    INFO(text);
    CHECK_FALSE(parse_banner(text));
  }
}

}  // namespace
}  // namespace emud
