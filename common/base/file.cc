#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/retry.h"

namespace emud {

Result<UniqueFd> open_at(int directory, const std::string& path, int flags, mode_t mode) {
  const int fd =
      uninterrupted([&] { return ::openat(directory, path.c_str(), flags | O_CLOEXEC, mode); });
  if (fd < 0) return fail_errno("open", path);
  return UniqueFd{fd};
}

Result<std::string> read_all(int fd, std::string_view name, std::size_t limit) {
  std::string bytes;
  char buffer[4096];
  for (;;) {
    const ssize_t count = uninterrupted([&] { return ::read(fd, buffer, sizeof buffer); });
    if (count < 0) return fail_errno("read", name);
    if (count == 0) return bytes;
    bytes.append(buffer, static_cast<std::size_t>(count));
    if (bytes.size() > limit) {
      return fail(Errc::limit_exceeded, "read", name, fmt::format("larger than {} bytes", limit));
    }
  }
}

Result<std::string> read_file(int directory, const std::string& path, std::size_t limit) {
  EMUD_ASSIGN(const UniqueFd fd, open_at(directory, path, O_RDONLY));
  return read_all(fd.get(), path, limit);
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  return read_file(AT_FDCWD, path, limit);
}

Result<> write_all(int fd, std::string_view name, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = uninterrupted([&] { return ::write(fd, bytes.data(), bytes.size()); });
    if (count < 0) return fail_errno("write", name);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<> write_control(int directory, const std::string& path, std::string_view bytes) {
  EMUD_ASSIGN(const UniqueFd fd, open_at(directory, path, O_WRONLY));
  if (uninterrupted([&] { return ::write(fd.get(), bytes.data(), bytes.size()); }) < 0)
    return fail_errno("write", path);
  return {};
}

// Gives an unnamed file its name, or where there is a file of that name already, `temporary`: then
// true. open(2), O_TMPFILE.
static Result<bool> link_file(const UniqueFd& file, int directory, const std::string& name,
                              const std::string& temporary) {
  const std::string source = fmt::format("/proc/self/fd/{}", file.get());
  const auto link = [&](const std::string& target) {
    return ::linkat(AT_FDCWD, source.c_str(), directory, target.c_str(), AT_SYMLINK_FOLLOW) == 0;
  };
  if (link(name)) return false;
  if (errno == EEXIST) {
    ::unlinkat(directory, temporary.c_str(), 0);  // of an earlier process of this pid
    if (link(temporary)) return true;
  }
  return fail_errno("replace", name);
}

Result<> replace_file(int directory, const std::string& name, std::string_view bytes, mode_t mode,
                      Durability durability) {
  const std::string temporary = fmt::format(".{}.{}.tmp", name, ::getpid());
  auto undo = [&](Error error) {
    ::unlinkat(directory, temporary.c_str(), 0);
    return std::unexpected(std::move(error));
  };
  auto opened = open_at(directory, ".", O_WRONLY | O_TMPFILE, mode);
  const bool unnamed = opened.has_value();  // not every file system has such files
  if (!unnamed) opened = open_at(directory, temporary, O_WRONLY | O_CREAT | O_TRUNC, mode);
  if (!opened) return fail_errno(opened.error().errno_value, "create a new", name);
  const UniqueFd& fd = *opened;
  if (auto done = write_all(fd.get(), name, bytes); !done) return undo(std::move(done).error());
  if (::fchmod(fd.get(), mode) != 0) return undo(fail_errno("set the mode of", name).error());
  if (durability == Durability::durable && ::fsync(fd.get()) != 0)
    return undo(fail_errno("write to disk", name).error());
  Result<bool> has_temporary = true;
  if (unnamed) has_temporary = link_file(fd, directory, name, temporary);
  if (!has_temporary) return std::unexpected(std::move(has_temporary).error());
  if (*has_temporary && ::renameat(directory, temporary.c_str(), directory, name.c_str()) != 0) {
    return undo(fail_errno("replace", name).error());
  }
  // The name is on the disk when its directory is: fsync(2).
  if (durability == Durability::durable && ::fsync(directory) != 0)
    return fail_errno("write to disk the directory of", name);
  return {};
}

Result<UniqueFd> make_directories(const std::string& path, mode_t mode) {
  const bool is_there = ::mkdir(path.c_str(), mode) == 0 || errno == EEXIST;
  for (std::size_t end = path.find('/', 1); !is_there; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (!part.empty() && ::mkdir(part.c_str(), mode) != 0 && errno != EEXIST) {
      if (errno != ENOENT) return fail_errno("create directory", part);
      // So says a filesystem in which none can be made (procfs): nothing is missing.
      Failure failure = fail_errno("create directory", part,
                                   "None can be made there: name another place (HOME, "
                                   "XDG_DATA_HOME; emud: --state-dir, --runtime-dir)");
      failure.error().code = Errc::system;
      return failure;
    }
    if (end == std::string::npos) break;
  }
  return open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
}

Result<std::vector<std::string>> list_directory(int directory, const std::string& path) {
  EMUD_ASSIGN(UniqueFd fd, open_at(directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream{::fdopendir(fd.get()), ::closedir};
  if (!stream) return fail_errno("list", path);
  (void)fd.release();  // the stream owns it now
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return fail_errno("list", path);
  std::ranges::sort(names);
  return names;
}

namespace {

// Its owner may have taken the rights on it from himself, as in a Nix store.
void allow_removal_in(int directory, const std::string& name) {
  const UniqueFd place{
      ::openat(directory, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (place) ::chmod(fmt::format("/proc/self/fd/{}", place.get()).c_str(), 0700);
}

}  // namespace

Result<> remove_tree(int directory, const std::string& name) {
  if (::unlinkat(directory, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return fail_errno("remove", name);
  if (::geteuid() != 0) allow_removal_in(directory, name);
  EMUD_ASSIGN(const auto names, list_directory(directory, name));
  EMUD_ASSIGN(const UniqueFd fd, open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  for (const auto& entry : names) EMUD_TRY(remove_tree(fd.get(), entry));
  if (::unlinkat(directory, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return fail_errno("remove directory", name);
  }
  return {};
}

}  // namespace emud
