#include "sandbox/temporary_sweep.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sstream>
#include <vector>

#include "base/file.h"
#include "base/retry.h"
#include "sandbox/environment.h"
#include "sandbox/strays.h"

namespace emud {
namespace {

constexpr int end_limit_ms = 5000;
constexpr int directory_itself = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

bool only_owners_rename_in(const struct stat& folder) {
  const bool is_open = (folder.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  return (!is_open || (folder.st_mode & S_ISVTX) != 0) &&
         (folder.st_uid == 0 || folder.st_uid == ::geteuid());
}

// TMPDIR of a process of this user's.
std::string temporary_of(const std::string& process) {
  struct stat info{};
  const std::string folder = "/proc/" + process;
  if (::stat(folder.c_str(), &info) != 0 || info.st_uid != ::geteuid()) return {};
  std::vector<std::string> environment;
  std::istringstream text{read_file(folder + "/environ").value_or("")};
  for (std::string entry; std::getline(text, entry, '\0');) environment.push_back(entry);
  return variable(environment, "TMPDIR");
}

// The user namespace of the lease whose directory has that name, where a process of it is left that
// shows it: Nix gives its builders another TMPDIR.
UniqueFd namespace_of(const std::string& name) {
  struct stat own{}, other{};
  const auto processes = list_directory(AT_FDCWD, "/proc");
  if (!processes || ::stat("/proc/self/ns/user", &own) != 0) return {};
  for (const std::string& process : *processes) {
    if (!temporary_of(process).ends_with("/" + name)) continue;
    auto place = open_at(AT_FDCWD, fmt::format("/proc/{}/ns/user", process), O_RDONLY);
    if (place && ::fstat(place->get(), &other) == 0 && other.st_ino != own.st_ino)
      return *std::move(place);
  }
  return {};
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

void sweep_temporaries(const std::string& folder, std::string_view prefix) {
  const auto place = open_at(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY);
  struct stat info{};
  if (!place || ::fstat(place->get(), &info) != 0 || !only_owners_rename_in(info)) return;
  const auto names = list_directory(place->get(), ".");
  if (!names) return;
  for (const std::string& name : *names) {
    if (!name.starts_with(prefix)) continue;
    const auto directory = open_at(place->get(), name, directory_itself);
    if (!directory || ::fstat(directory->get(), &info) != 0 || info.st_uid != ::geteuid()) continue;
    if (::flock(directory->get(), LOCK_EX | LOCK_NB) != 0) continue;  // it is in use
    if (const UniqueFd left = namespace_of(name))
      (void)end_user_namespace(left.get(), end_limit_ms);
    [[maybe_unused]] const auto removed = remove_tree(place->get(), name);
  }
}

}  // namespace emud
