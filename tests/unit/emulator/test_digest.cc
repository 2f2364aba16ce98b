#include "emulator/digest.h"

#include <unistd.h>

#include <cctype>
#include <cerrno>

#include "support/catch.h"
#include "unit/emulator/fixtures.h"

namespace emud {
namespace {

// FIPS 180-2, appendix B: the message "abc"; and the empty message.
constexpr std::string_view abc_digest =
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr std::string_view empty_digest =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST_CASE("a digest of bytes is SHA-256") {
  const std::string_view text = "abc";
  CHECK(Digest::of_bytes(std::as_bytes(std::span{text}))->hex() == abc_digest);
  CHECK(Digest::of_bytes({})->hex() == empty_digest);
}

TEST_CASE("a digest of a file is that of its bytes and leaves the offset alone") {
  const test::ScratchDirectory directory;
  const std::string path = directory / "file";
  // Larger than the buffer, and not a multiple of it.
  std::string bytes;
  for (int i = 0; i < 700'000; ++i) bytes += std::to_string(i % 97);
  test::write_file(path, bytes);
  const UniqueFd file = test::open_file(path);
  REQUIRE(::lseek(file.get(), 17, SEEK_SET) == 17);
  const auto digest = Digest::of_file(file.get(), path);
  REQUIRE(digest);
  CHECK(*digest == *Digest::of_bytes(std::as_bytes(std::span{bytes})));
  CHECK(::lseek(file.get(), 0, SEEK_CUR) == 17);
  test::shell("echo '" + digest->hex() + "  " + path + "' | sha256sum --check --quiet");
}

TEST_CASE("a file that cannot be read has no digest") {
  const auto digest = Digest::of_file(-1, "nothing");
  REQUIRE_FALSE(digest);
  CHECK(digest.error().object == "nothing");
  CHECK(digest.error().errno_value == EBADF);
}

TEST_CASE("digests are read in either case and written in lower case") {
  std::string upper{abc_digest};
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  const auto digest = Digest::parse(upper);
  REQUIRE(digest);
  CHECK(digest->hex() == abc_digest);
  CHECK(*digest == *Digest::parse(abc_digest));
  CHECK(*digest != *Digest::parse(empty_digest));
}

TEST_CASE("what is no digest is refused by name") {
  const std::string text{abc_digest};
  for (const std::string& wrong :
       {std::string{}, std::string{"sha256"}, text.substr(1), text + "0", "g" + text.substr(1),
        " " + text.substr(1), text.substr(1) + '\0'}) {
    const auto digest = Digest::parse(wrong);
    INFO(wrong);
    REQUIRE_FALSE(digest);
    CHECK(digest.error().code == Errc::invalid_argument);
    CHECK(test::contains(digest.error().message(), wrong.substr(0, 63)));
    CHECK_FALSE(digest.error().hint.empty());
  }
}

}  // namespace
}  // namespace emud
