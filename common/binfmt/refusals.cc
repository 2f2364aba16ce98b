#include "binfmt/refusals.h"

#include <fmt/format.h>

#include <cerrno>

#include "base/paths.h"

namespace emud {

Failure mount_refused(int error) {
  constexpr std::string_view action = "mount binfmt_misc at";
  switch (error) {
    case ENODEV:
    case ENOENT:
      return fail_errno(ENODEV, action, binfmt_misc_mount,
                        "The kernel has no binfmt_misc: `modprobe binfmt_misc`, or a kernel with "
                        "CONFIG_BINFMT_MISC");
    case EPERM:
    case EACCES:
      return fail_errno(
          error, action, binfmt_misc_mount,
          "Mounting was refused: Linux 6.7 is needed for a private scope; in a container or under "
          "AppArmor, allow user namespaces to mount, or use --scope host with emud");
    default:
      return fail_errno(error, action, binfmt_misc_mount);
  }
}

Failure open_refused(int error) {
  constexpr std::string_view action = "open";
  const std::string file = fmt::format("{}/register", binfmt_misc_mount);
  switch (error) {
    case EROFS:
      return fail_errno(
          error, action, file,
          "binfmt_misc is mounted read-only here, as in some containers and WSL: remount it "
          "writable (`mount -o remount,rw /proc/sys/fs/binfmt_misc`), or use a private scope");
    case EACCES:
      return fail_errno(
          error, action, file,
          "It belongs to uid 0 of this user namespace: run emud as root; in a container map uid 0 "
          "into it, and under AppArmor let the profile write there (`dmesg` shows denials)");
    case EPERM:
      return fail_errno(
          error, action, file,
          "A security module or a seccomp filter forbids it (`dmesg` shows denials): allow it, or "
          "start emud outside of this container");
    case ENOENT:
      return fail_errno(error, action, file,
                        "binfmt_misc is not mounted there: `mount -t binfmt_misc binfmt_misc "
                        "/proc/sys/fs/binfmt_misc` as root");
    default:
      return fail_errno(error, action, file, "Look at `findmnt /proc/sys/fs/binfmt_misc`");
  }
}

Failure write_refused(int error, const Rule& rule) {
  const auto refused = [&](std::string_view hint) {
    return fail_errno(error, "register handler", rule.name, hint);
  };
  const std::string& interpreter = rule.interpreter;
  switch (error) {
    case EEXIST:
      return refused(
          fmt::format("Another program made an entry of emud's name with other content: look at "
                      "{}/{} and remove it if nobody needs it",
                      binfmt_misc_mount, rule.name));
    case EACCES:
      return refused(
          fmt::format("The kernel may not execute the interpreter {}: it must be executable for "
                      "root, on a file system not mounted noexec",
                      interpreter));
    case ENOENT:
      return refused(
          fmt::format("The interpreter {} is not there: `emuctl emulator list` shows what is "
                      "installed, `emuctl emulator verify` what is broken",
                      interpreter));
    case ENOEXEC:
    case ELOOP:
    case ENOTDIR:
      return refused(
          fmt::format("The kernel cannot open the interpreter {} as a program: `emuctl emulator "
                      "verify` shows what is broken",
                      interpreter));
    case ETXTBSY:
      return refused(
          fmt::format("Somebody has the interpreter {} open for writing: `fuser -v {}` shows who",
                      interpreter, interpreter));
    case EINVAL:
      return refused(
          "The kernel did not take the registration string; please report this with `uname -r`");
    case EPERM:
      return refused(
          "The kernel refused the registration: emud must run as root in this user "
          "namespace (`dmesg` shows what a security module denied)");
    default:
      return refused("Look at the kernel's log (`dmesg`), then try again");
  }
}

}  // namespace emud
