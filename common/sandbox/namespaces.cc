#include "sandbox/namespaces.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>

#include <cerrno>
#include <cstdint>
#include <sstream>
#include <string>
#include <utility>

#include "base/file.h"

namespace emud {
namespace {

bool sysctl_is(const char* path, std::string_view value) {
  const auto text = read_file(path);
  return text && text->starts_with(value);
}

// Every id that this process's user namespace has, to itself: user_namespaces(7), uid_map.
Result<std::string> identity_of(const char* file) {
  EMUD_ASSIGN(const std::string own, read_file(fmt::format("/proc/self/{}", file)));
  std::istringstream extents{own};
  std::string map;
  for (std::uint32_t inside = 0, outside = 0, count = 0; extents >> inside >> outside >> count;) {
    map += fmt::format("{0} {0} {1}\n", inside, count);
  }
  return map;
}

}  // namespace

Result<> map_identity(pid_t child) {
  // A map is written once, and then stays.
  static const std::pair<const char*, Result<std::string>> files[] = {
      {"uid_map", identity_of("uid_map")}, {"gid_map", identity_of("gid_map")}};
  for (const auto& [file, map] : files) {
    if (!map) return std::unexpected(map.error());
    const std::string path = fmt::format("/proc/{}/{}", child, file);
    if (auto written = write_control(AT_FDCWD, path, *map); !written) {
      return fail_errno(written.error().errno_value, "map all users into", "a user namespace",
                        "Start emud as root, or run the command without it: `emuctl run "
                        "--rootless`");
    }
  }
  return {};
}

Result<> map_self(uid_t inside, uid_t outside, gid_t group_inside, gid_t group_outside) {
  const std::pair<std::string, std::string> files[] = {
      {"/proc/self/setgroups", "deny"},
      {"/proc/self/uid_map", fmt::format("{} {} 1", inside, outside)},
      {"/proc/self/gid_map", fmt::format("{} {} 1", group_inside, group_outside)},
  };
  for (const auto& [file, text] : files) {
    // Where AppArmor restricts user namespaces, making one succeeds and this is refused.
    if (auto written = write_control(AT_FDCWD, file, text); !written) {
      return fail_errno(written.error().errno_value, "map your user into", "a user namespace",
                        user_namespace_hint());
    }
  }
  return {};
}

bool apparmor_restricts_user_namespaces() {
  return sysctl_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1");
}

std::string_view user_namespace_hint() {
  if (apparmor_restricts_user_namespaces()) {
    return "AppArmor keeps users from user namespaces here "
           "(kernel.apparmor_restrict_unprivileged_userns is 1): start emud and run without "
           "--rootless, or allow them with `sysctl "
           "kernel.apparmor_restrict_unprivileged_userns=0`";
  }
  if (sysctl_is("/proc/sys/kernel/unprivileged_userns_clone", "0")) {
    return "Unprivileged user namespaces are switched off: `sysctl "
           "kernel.unprivileged_userns_clone=1`, or start "
           "emud and run without --rootless";
  }
  if (sysctl_is("/proc/sys/user/max_user_namespaces", "0")) {
    return "User namespaces are switched off: `sysctl user.max_user_namespaces=15000`, or use "
           "--scope host";
  }
  return "User namespaces are refused here, as in many containers and after a chroot: allow them, "
         "or use emud on "
         "the host";
}

Failure namespace_failure(int error, std::string_view what) {
  if (error == ENOSPC || error == EUSERS) {
    return fail_errno(error, "create", what,
                      "The limit of namespaces is reached: raise user.max_user_namespaces and "
                      "user.max_mnt_namespaces with sysctl");
  }
  if (error == EAGAIN) {
    return fail_errno(error, "create", what,
                      "You have as many processes as you may: end some, or raise the limit "
                      "(`ulimit -u`)");
  }
  return fail_errno(error, "create", what, user_namespace_hint());
}

Result<> unshare_namespaces(int flags, std::string_view what) {
  if (::unshare(flags) == 0) return {};
  return namespace_failure(errno, what);
}

}  // namespace emud
