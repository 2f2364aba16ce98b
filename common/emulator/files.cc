#include "emulator/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/file.h"
#include "base/retry.h"

namespace emud {
namespace {

constexpr std::size_t copy_size = std::size_t{1} << 20;

}  // namespace

Result<OpenFile> open_trusted(int directory, const std::string& name, int flags,
                              std::string_view path) {
  constexpr std::string_view hint = "Remove it and install the emulator again";
  flags |= O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  const int fd = uninterrupted([&] { return ::openat(directory, name.c_str(), flags); });
  if (fd < 0 && errno == ELOOP) {
    return fail(Errc::permission_denied, "open", path, "it is a symbolic link", hint);
  }
  if (fd < 0) return fail_errno("open", path);
  OpenFile file{UniqueFd{fd}, {}};
  if (::fstat(fd, &file.status) != 0) return fail_errno("examine", path);
  if (!S_ISREG(file.status.st_mode) && !S_ISDIR(file.status.st_mode)) {
    return fail(Errc::permission_denied, "open", path, "it is not a regular file", hint);
  }
  if (file.status.st_uid != 0 && file.status.st_uid != ::geteuid()) {
    return fail(Errc::permission_denied, "trust", path,
                fmt::format("it belongs to user {}", file.status.st_uid), hint);
  }
  if ((file.status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(Errc::permission_denied, "trust", path,
                fmt::format("others may write it (mode {:04o})", file.status.st_mode & 07777U),
                hint);
  }
  return file;
}

Result<std::string> random_name(std::string_view prefix) {
  std::uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number) {
    return fail_errno("get", "random bytes");
  }
  return fmt::format("{}{:016x}", prefix, number);
}

Result<UniqueFd> make_unnamed_file(int directory, std::string_view path) {
  // open(2): filesystems without O_TMPFILE say EOPNOTSUPP, kernels without it EISDIR or ENOENT.
  const int fd =
      uninterrupted([&] { return ::openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); });
  if (fd >= 0) return UniqueFd{fd};
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) {
    return fail_errno("create a temporary file in", path);
  }
  EMUD_ASSIGN(const std::string name, random_name(".tmp-"));
  EMUD_ASSIGN(UniqueFd named, open_at(directory, name, O_CREAT | O_EXCL | O_RDWR, 0600));
  if (::unlinkat(directory, name.c_str(), 0) != 0 && errno != ENOENT)
    return fail_errno("unlink", name);
  return named;
}

Result<> copy_regular_file(int from, std::string_view from_name, int to, std::string_view to_name,
                           std::uint64_t limit) {
  struct stat status = {};
  if (::fstat(from, &status) != 0) return fail_errno("examine", from_name);
  if (!S_ISREG(status.st_mode)) {
    return fail(Errc::invalid_argument, "read", from_name, "it is not a regular file",
                "Give a file that is on disk, not a pipe, device or directory");
  }
  std::vector<char> buffer(copy_size);
  for (std::uint64_t offset = 0;;) {
    const ssize_t count = uninterrupted(
        [&] { return ::pread(from, buffer.data(), buffer.size(), static_cast<off_t>(offset)); });
    if (count < 0) return fail_errno("read", from_name);
    if (count == 0) return {};
    offset += static_cast<std::uint64_t>(count);
    if (offset > limit) {
      return fail(Errc::limit_exceeded, "read", from_name,
                  fmt::format("larger than {} MiB", limit >> 20),
                  "Check that it is an emulator or a package of one");
    }
    EMUD_TRY(write_all(to, to_name, {buffer.data(), static_cast<std::size_t>(count)}));
  }
}

}  // namespace emud
