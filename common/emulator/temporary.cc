#include "emulator/temporary.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/file.h"

namespace emud {
namespace {

Result<> lock(int fd, int operation, std::string_view path) {
  while (::flock(fd, operation) != 0) {
    if (errno != EINTR) return fail_errno("lock", path);
  }
  return {};
}

// Held shared while a temporary is made and not locked yet, exclusively while temporaries are
// swept. On a file beside the store that only its owner can open: flock(2) asks for no more than an
// open descriptor, so that anybody could hold a lock on the directory itself, and keep emud from
// starting.
Result<UniqueFd> lock_store(const StoreDirectory& store, int operation) {
  EMUD_ASSIGN(UniqueFd fd, open_at(store.fd.get(), "../store.lock",
                                   O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600));
  EMUD_TRY(lock(fd.get(), operation, store.path));
  return fd;
}

// Somebody else may remove the same one at the same time.
Result<> remove_temporary(int store, const std::string& name) {
  auto removed = remove_tree(store, name);
  if (!removed && removed.error().code == Errc::not_found) return {};
  return removed;
}

}  // namespace

Result<TemporaryDirectory> TemporaryDirectory::make(const StoreDirectory& store) {
  EMUD_ASSIGN(const std::string name, random_name(temporary_prefix));
  EMUD_ASSIGN(const UniqueFd guard, lock_store(store, LOCK_SH));
  if (::mkdirat(store.fd.get(), name.c_str(), 0700) != 0) {
    return fail_errno("create a directory in", store.path,
                      "Check that the filesystem is writable and has space left");
  }
  TemporaryDirectory directory{store, name, UniqueFd{}};
  EMUD_ASSIGN(directory.fd_, open_at(store.fd.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  EMUD_TRY(lock(directory.fd_.get(), LOCK_EX | LOCK_NB, name));
  return directory;
}

TemporaryDirectory::TemporaryDirectory(TemporaryDirectory&& other) noexcept
    : store_(other.store_), name_(std::exchange(other.name_, {})), fd_(std::move(other.fd_)) {}

TemporaryDirectory::~TemporaryDirectory() {
  // What cannot be removed now is swept later.
  if (!name_.empty()) (void)remove_temporary(store_->fd.get(), name_);
}

Result<> TemporaryDirectory::publish(const std::string& name) {
  const std::string path = fmt::format("{}/{}", store_->path, name);
  if (::fchmod(fd_.get(), 0755) != 0) return fail_errno("set the mode of", path);
  if (::fsync(fd_.get()) != 0) return fail_errno("write to disk", path);
  const int store = store_->fd.get();
  if (::renameat(store, name_.c_str(), store, name.c_str()) != 0) {
    // rename(2): a directory that is not empty is never replaced.
    return fail_errno(errno == ENOTEMPTY ? EEXIST : errno, "publish", path);
  }
  name_.clear();
  if (::fsync(store) != 0) return fail_errno("write to disk", store_->path);
  return {};
}

Result<> discard(const StoreDirectory& store, const std::string& name) {
  EMUD_ASSIGN(const std::string temporary, random_name(temporary_prefix));
  const int fd = store.fd.get();
  if (::renameat(fd, name.c_str(), fd, temporary.c_str()) != 0) {
    return fail_errno("remove", fmt::format("{}/{}", store.path, name));
  }
  return remove_temporary(fd, temporary);
}

Result<> sweep_temporaries(const StoreDirectory& store, Sweep mode) {
  EMUD_ASSIGN(const UniqueFd guard, lock_store(store, LOCK_EX));
  EMUD_ASSIGN(const auto names, list_directory(store.fd.get(), "."));
  for (const std::string& name : names) {
    if (!name.starts_with(temporary_prefix)) continue;
    const auto directory =
        open_at(store.fd.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK);
    if (directory && mode == Sweep::all) EMUD_TRY(lock(directory->get(), LOCK_EX, name));
    if (directory && ::flock(directory->get(), LOCK_EX | LOCK_NB) != 0) continue;  // in use
    EMUD_TRY(remove_temporary(store.fd.get(), name));
  }
  return {};
}

}  // namespace emud
