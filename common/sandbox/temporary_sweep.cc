#include "sandbox/temporary_sweep.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/retry.h"

namespace emud {
namespace {

constexpr int directory_itself = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

bool only_owners_rename_in(const struct stat& folder) {
  const bool is_open = (folder.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  return (!is_open || (folder.st_mode & S_ISVTX) != 0) &&
         (folder.st_uid == 0 || folder.st_uid == ::geteuid());
}

}  // namespace

Result<UniqueFd> hold_temporary(const std::string& path) {
  EMUD_ASSIGN(UniqueFd directory, open_at(AT_FDCWD, path, directory_itself));
  // Who sweeps holds it for a moment. A file system without locks is not swept either.
  (void)uninterrupted([&] { return ::flock(directory.get(), LOCK_SH); });
  struct stat info{};
  if (::fstat(directory.get(), &info) != 0) return fail_errno("examine", path);
  if (info.st_nlink == 0) return fail_errno(ENOENT, "hold", path);
  return directory;
}

void sweep_temporaries(const std::string& folder) {
  const auto place = open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY);
  struct stat info{};
  if (!place || ::fstat(place->get(), &info) != 0 || !only_owners_rename_in(info)) return;
  const auto names = list_directory(place->get(), ".");
  if (!names) return;
  for (const std::string& name : *names) {
    if (!name.starts_with(rootless_prefix)) continue;
    const auto directory = open_at(place->get(), name, directory_itself);
    if (!directory || ::fstat(directory->get(), &info) != 0 || info.st_uid != ::geteuid()) continue;
    if (::flock(directory->get(), LOCK_EX | LOCK_NB) != 0) continue;  // it is in use
    [[maybe_unused]] const auto removed = remove_tree(place->get(), name);
  }
}

}  // namespace emud
