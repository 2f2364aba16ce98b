// The kernel's own refusals, on a binfmt_misc of a user namespace's, and what emud says to each.
#include "binfmt/refusals.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "base/file.h"
#include "support/catch.h"

namespace emud {
namespace {

const char* const place = "/proc/sys/fs/binfmt_misc";
constexpr int no_scope = 255;

Rule rule_for(std::string_view interpreter) {
  return make_rule(**find_architecture("aarch64"), interpreter);
}

// In a user namespace whose uid and gid 0 or 1000 are the caller's, with an empty binfmt_misc.
bool enter_scope(uid_t inside) {
  const std::string users = fmt::format("{} {} 1", inside, ::geteuid());
  const std::string groups = fmt::format("{} {} 1", inside, ::getegid());
  return ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
         write_control(AT_FDCWD, "/proc/self/setgroups", "deny") &&
         write_control(AT_FDCWD, "/proc/self/uid_map", users) &&
         write_control(AT_FDCWD, "/proc/self/gid_map", groups) &&
         ::mount("binfmt_misc", place, "binfmt_misc", 0, nullptr) == 0;
}

int open_register() {
  return ::open("/proc/sys/fs/binfmt_misc/register", O_WRONLY | O_CLOEXEC);
}

// errno of writing the text there; 0 for success.
int write_text(const std::string& text) {
  return ::write(open_register(), text.data(), text.size()) < 0 ? errno : 0;
}

int write_rule(const std::string& interpreter) {
  return write_text(*registration_string(rule_for(interpreter)));
}

// What the function returns in such a scope.
int in_scope(uid_t inside, const std::function<int()>& function) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(enter_scope(inside) ? function() : no_scope);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) != no_scope);
  return WEXITSTATUS(status);
}

std::string hint_of(const Failure& failure, int error) {
  CHECK(failure.error().errno_value == error);
  CHECK_FALSE(failure.error().hint.empty());
  return failure.error().hint;
}

std::string open_hint(int error) {
  const Failure failure = open_refused(error);
  CHECK(failure.error().message().find("open /proc/sys/fs/binfmt_misc/register: ") == 0);
  return hint_of(failure, error);
}

std::string write_hint(int error) {
  const Failure failure = write_refused(error, rule_for("/store/qemu"));
  CHECK(failure.error().message().find("register handler emud-aarch64: ") == 0);
  return hint_of(failure, error);
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("register cannot be opened") {
  CHECK(in_scope(0, [] { return open_register() < 0 ? errno : 0; }) == 0);
  SECTION("uid 0 is not mapped") {
    const int error = in_scope(1000, [] { return open_register() < 0 ? errno : 0; });
    CHECK(error == EACCES);
    CHECK(has(open_hint(error), "map uid 0"));
    CHECK(has(open_hint(error), "AppArmor"));
  }
  SECTION("a read-only mount") {
    const int error = in_scope(0, [] {
      ::mount(nullptr, place, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr);
      return open_register() < 0 ? errno : 0;
    });
    CHECK(error == EROFS);
    CHECK(has(open_hint(error), "remount,rw"));
    CHECK(open_refused(error).error().code == Errc::read_only);
  }
  SECTION("nothing is mounted") {
    const int error = in_scope(0, [] {
      ::umount2(place, MNT_DETACH);
      ::mount("tmpfs", place, "tmpfs", 0, nullptr);
      return open_register() < 0 ? errno : 0;
    });
    CHECK(error == ENOENT);
    CHECK(has(open_hint(error), "mount -t binfmt_misc"));
  }
  CHECK(has(open_hint(EPERM), "security module"));
}

TEST_CASE("the kernel cannot take the interpreter") {
  CHECK(in_scope(0, [] { return write_rule("/bin/true"); }) == 0);
  SECTION("it is not there") {
    CHECK(in_scope(0, [] { return write_rule("/nonexistent/qemu"); }) == ENOENT);
    CHECK(has(write_hint(ENOENT), "/store/qemu is not there"));
  }
  SECTION("it is not executable") {
    CHECK(in_scope(0, [] { return write_rule("/etc/passwd"); }) == EACCES);
    CHECK(in_scope(0, [] { return write_rule("/etc"); }) == EACCES);
    CHECK(has(write_hint(EACCES), "executable"));
    CHECK(has(write_hint(EACCES), "noexec"));
    CHECK_FALSE(has(write_hint(EACCES), "uid 0"));
  }
  SECTION("it is no file") {
    CHECK(in_scope(0, [] { return write_rule("/etc/passwd/qemu"); }) == ENOTDIR);
    CHECK(has(write_hint(ENOTDIR), "as a program"));
    CHECK(has(write_hint(ENOEXEC), "as a program"));
    CHECK(has(write_hint(ELOOP), "as a program"));
  }
  SECTION("somebody writes to it") {
    CHECK(in_scope(0, [] {
            ::mount("tmpfs", "/mnt", "tmpfs", 0, nullptr);
            ::open("/mnt/qemu", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
            return write_rule("/mnt/qemu");
          }) == ETXTBSY);
    CHECK(has(write_hint(ETXTBSY), "open for writing"));
  }
}

TEST_CASE("the kernel does not take the rule") {
  CHECK(in_scope(0, [] {
          return write_rule("/bin/true") == 0 ? write_rule("/bin/false") : no_scope;
        }) == EEXIST);
  CHECK(has(write_hint(EEXIST), "Another program"));
  CHECK(write_refused(EEXIST, rule_for("/store/qemu")).error().code == Errc::exists);
  CHECK(in_scope(0, [] { return write_text(":emud-aarch64:M::::/bin/true:"); }) == EINVAL);
  CHECK(has(write_hint(EINVAL), "please report"));
  CHECK(has(write_hint(EPERM), "as root"));
  CHECK_FALSE(write_hint(ENOMEM).empty());
}

}  // namespace
}  // namespace emud
