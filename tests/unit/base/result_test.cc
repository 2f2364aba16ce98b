#include "base/result.h"

#include <cerrno>

#include "base/paths.h"
#include "support/catch.h"

namespace emud {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0)
    return fail(Errc::invalid_argument, "halve", std::to_string(value), "it is odd");
  return value / 2;
}

Result<int> quarter(int value) {
  EMUD_ASSIGN(const int once, half(value));
  EMUD_ASSIGN(const int twice, half(once));
  return twice;
}

TEST_CASE("EMUD_ASSIGN hands values and errors on") {
  CHECK(*quarter(8) == 2);
  REQUIRE_FALSE(quarter(6));
  CHECK(quarter(6).error().message() == "halve 3: it is odd");
}

TEST_CASE("an error from errno has a code that follows it") {
  CHECK(fail_errno(EACCES, "open", "x").error().code == Errc::permission_denied);
  CHECK(fail_errno(EROFS, "open", "x").error().code == Errc::read_only);
  CHECK(fail_errno(ENOENT, "open", "x").error().code == Errc::not_found);
  CHECK(fail_errno(EIO, "open", "x").error().code == Errc::system);
  CHECK(fail_errno(ENOENT, "open", "x").error().message() == "open x: No such file or directory");
}

TEST_CASE("what has run out is said instead of a hint that is beside the point") {
  const auto hint = [](int reason, std::string_view given) {
    return fail_errno(reason, "open", "x", given).error().hint;
  };
  CHECK(hint(EMFILE, "Enter another directory").find("ulimit -n") != std::string::npos);
  CHECK(hint(ENOSPC, "").find("space") != std::string::npos);
  CHECK(hint(ENOSPC, "Raise user.max_user_namespaces") == "Raise user.max_user_namespaces");
  CHECK(hint(EACCES, "Enter another directory") == "Enter another directory");
  CHECK(hint(EACCES, "").empty());
}

TEST_CASE("every code has a name of its own that leads back to it") {
  for (int value = 0; value <= static_cast<int>(Errc::internal); ++value) {
    const auto code = static_cast<Errc>(value);
    CHECK(errc_from_string(to_string(code)) == code);
  }
  CHECK(errc_from_string("no such code") == Errc::internal);
}

TEST_CASE("a user's paths follow the XDG variables and ignore relative ones") {
  ::setenv("HOME", "/home/u", 1);
  ::setenv("XDG_DATA_HOME", "/data", 1);
  ::setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
  CHECK(Paths::user()->store() == "/data/emud/store");
  CHECK(Paths::user()->proofs() == "/run/user/7/emud/proofs");
  ::setenv("XDG_DATA_HOME", "relative", 1);
  ::unsetenv("XDG_RUNTIME_DIR");
  ::unsetenv("XDG_CACHE_HOME");
  CHECK(Paths::user()->store() == "/home/u/.local/share/emud/store");
  CHECK(Paths::user()->runtime == "/home/u/.cache/emud/run");
  ::unsetenv("HOME");
  REQUIRE_FALSE(Paths::user());
  CHECK(Paths::user().error().message().find("HOME") != std::string::npos);
}

}  // namespace
}  // namespace emud
