#include "emulator/in_use.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <sstream>

#include "base/file.h"

namespace emud {

Result<UniqueFd> hold_entry(const VerifiedEmulator& emulator) {
  const std::string& path = emulator.interpreter();
  struct stat wanted = {};
  if (::fstat(emulator.fd(), &wanted) != 0) return fail_errno("examine", path);
  const std::string entry = emulator.directory();
  // O_NOFOLLOW: an entry is no link. The folders above it may be.
  auto directory = open_at(AT_FDCWD, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!directory && directory.error().code != Errc::not_found) return directory;
  struct stat there = {};
  if (directory) (void)::flock(directory->get(), LOCK_SH | LOCK_NB);
  const bool is_there = directory && ::stat(path.c_str(), &there) == 0;
  if (directory && !is_there && errno != ENOENT && errno != ENOTDIR)
    return fail_errno("examine", path);
  if (!is_there || there.st_ino != wanted.st_ino || there.st_dev != wanted.st_dev) {
    return fail(Errc::not_found, "use emulator", path, "it was removed meanwhile", "Try again");
  }
  return directory;
}

SharedLocks SharedLocks::read() {
  SharedLocks result;
  const auto text = read_file("/proc/locks");
  std::istringstream lines{text.value_or("")};
  for (std::string line; std::getline(lines, line);) {
    // "1: FLOCK  ADVISORY  READ  1234 08:01:5678 0 EOF"; one that waits has "->" after the number.
    std::istringstream words{line};
    std::string number, kind, mode, access, file;
    Lock lock;
    words >> number >> kind >> mode >> access >> lock.pid >> file;
    if (kind == "FLOCK" && access == "READ" &&
        std::sscanf(file.c_str(), "%x:%x:%lu", &lock.major, &lock.minor, &lock.inode) == 3) {
      result.locks_.push_back(std::move(lock));
    }
  }
  return result;
}

std::vector<std::string> SharedLocks::leases_on(const struct stat& file) const {
  std::vector<std::string> leases;
  for (const Lock& lock : locks_) {
    // Files of btrfs and overlayfs have another device than their filesystem; both are unnamed.
    const bool is_same_device =
        (lock.major == major(file.st_dev) && lock.minor == minor(file.st_dev)) ||
        (lock.major == 0 && major(file.st_dev) == 0);
    if (!is_same_device || lock.inode != file.st_ino) continue;
    const auto name = read_file(fmt::format("/proc/{}/comm", lock.pid));
    if (name && *name == "emuctl\n") leases.push_back("lease rootless-" + lock.pid);
  }
  return leases;
}

}  // namespace emud
