#include "binfmt/registry.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <memory>

#include "base/file.h"
#include "base/paths.h"
#include "base/retry.h"
#include "binfmt/refusals.h"

#ifndef BINFMTFS_MAGIC
#define BINFMTFS_MAGIC 0x42494e4d  // linux/magic.h
#endif

namespace emud {
namespace {

const std::string mount_point{binfmt_misc_mount};

Result<bool> is_binfmt_misc(int fd) {
  struct statfs info{};
  if (uninterrupted([&] { return ::fstatfs(fd, &info); }) != 0)
    return fail_errno("look at", mount_point);
  // The kernel's types differ between architectures: compare as unsigned.
  return static_cast<unsigned long>(info.f_type) == BINFMTFS_MAGIC;
}

// O_DIRECTORY makes the lookup follow an autofs trigger (fs/namei.c, follow_automount).
Result<UniqueFd> open_mount() {
  return open_at(AT_FDCWD, mount_point, O_RDONLY | O_DIRECTORY);
}

}  // namespace

Result<Registry> Registry::open_host() {
  EMUD_ASSIGN(UniqueFd directory, open_mount());
  EMUD_ASSIGN(const bool is_mounted, is_binfmt_misc(directory.get()));
  if (!is_mounted) {
    if (::mount("binfmt_misc", mount_point.c_str(), "binfmt_misc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                nullptr) != 0) {
      return mount_refused(errno);
    }
    EMUD_ASSIGN(directory, open_mount());
    EMUD_ASSIGN(const bool is_there, is_binfmt_misc(directory.get()));
    if (!is_there) {
      return fail(Errc::not_supported, "open", mount_point,
                  "it is not binfmt_misc even after a mount",
                  "Look at `findmnt /proc/sys/fs/binfmt_misc`");
    }
  }
  return Registry{std::move(directory)};
}

Result<Registry> Registry::look_at_host() {
  EMUD_ASSIGN(UniqueFd directory, open_mount());
  EMUD_ASSIGN(const bool is_mounted, is_binfmt_misc(directory.get()));
  if (!is_mounted) {
    return fail(Errc::not_found, "open", mount_point, "binfmt_misc is not mounted there yet");
  }
  return Registry{std::move(directory)};
}

Result<Registry> Registry::mount_private() {
  if (::mount("binfmt_misc", mount_point.c_str(), "binfmt_misc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
              nullptr) != 0) {
    return mount_refused(errno);
  }
  EMUD_ASSIGN(UniqueFd directory, open_mount());
  EMUD_ASSIGN(const bool is_mounted, is_binfmt_misc(directory.get()));
  if (!is_mounted) {
    return fail(Errc::not_supported, "open", mount_point,
                "the mounted file system is not binfmt_misc");
  }
  return Registry{std::move(directory)};
}

Result<> Registry::seal() {
  constexpr unsigned long flags =
      MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (::mount(nullptr, mount_point.c_str(), nullptr, flags, nullptr) != 0) {
    return fail_errno("make read-only", mount_point);
  }
  return {};
}

Result<Registration> Registry::add(const Architecture& architecture,
                                   const VerifiedEmulator& emulator, bool credentials) {
  Rule rule = make_rule(architecture, emulator.interpreter(), credentials);
  EMUD_ASSIGN(const std::string text, registration_string(rule));
  auto opened = open_at(directory_.get(), "register", O_WRONLY);
  if (!opened) return open_refused(opened.error().errno_value);
  if (uninterrupted([&] { return ::write(opened->get(), text.data(), text.size()); }) < 0) {
    const int error = errno;
    if (error != EEXIST) return write_refused(error, rule);
    const auto entry = inspect(rule.name);
    if (!entry || !is_same(*entry, rule)) return write_refused(error, rule);
    if (!entry->enabled) {
      return fail(
          Errc::busy, "register handler", rule.name, "it is there, but somebody has disabled it",
          fmt::format("Enable it again with `echo 1 > {}/{}` as root", mount_point, rule.name));
    }
  }
  return Registration{std::move(rule), architecture};
}

Result<> Registry::remove(const Rule& rule) {
  const auto entry = inspect(rule.name);
  if (!entry) {
    if (entry.error().code == Errc::not_found) return {};
    return std::unexpected(entry.error());
  }
  if (!is_same(*entry, rule)) {
    return fail(
        Errc::busy, "remove handler", rule.name, "its content is not what emud wrote",
        fmt::format("Look at {}/{}; emud leaves entries of others alone", mount_point, rule.name));
  }
  auto removed = write_control(directory_.get(), rule.name, "-1");
  if (!removed && removed.error().code != Errc::not_found) return removed;
  return {};
}

Result<> Registry::enable(const Rule& rule) {
  EMUD_ASSIGN(const Entry entry, inspect(rule.name));
  if (!is_same(entry, rule)) {
    return fail(
        Errc::busy, "switch on handler", rule.name, "its content is not what emud wrote",
        fmt::format("Look at {}/{}; emud leaves entries of others alone", mount_point, rule.name));
  }
  if (entry.enabled) return {};
  return write_control(directory_.get(), rule.name, "1");
}

Result<bool> Registry::is_on() const {
  const auto text = read_file(directory_.get(), "status", 64);
  if (!text)
    return fail_errno(text.error().errno_value, "read", fmt::format("{}/status", mount_point));
  return text->starts_with("enabled");
}

Result<Entry> Registry::inspect(std::string_view name) const {
  EMUD_ASSIGN(const std::string text, read_file(directory_.get(), std::string{name}, 65536));
  return parse_entry(name, text);
}

Result<std::vector<Entry>> Registry::list() const {
  EMUD_ASSIGN(auto entries, newest_first());
  std::ranges::sort(entries, {}, &Entry::name);
  return entries;
}

Result<std::vector<Entry>> Registry::newest_first() const {
  auto listed = open_at(directory_.get(), ".", O_RDONLY | O_DIRECTORY);
  if (!listed) return fail_errno(listed.error().errno_value, "list", mount_point);
  UniqueFd opened = *std::move(listed);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream{::fdopendir(opened.get()), ::closedir};
  if (!stream) return fail_errno("read", mount_point);
  [[maybe_unused]] const int owned = opened.release();  // by the stream
  std::vector<std::pair<timespec, Entry>> found;
  errno = 0;
  while (const dirent* item = ::readdir(stream.get())) {
    const std::string name = item->d_name;
    struct stat info{};
    if (name != "." && name != ".." && name != "register" && name != "status" &&
        ::fstatat(directory_.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
      if (auto entry = inspect(name)) found.emplace_back(info.st_mtim, *std::move(entry));
    }
    errno = 0;
  }
  if (errno != 0) return fail_errno("list", mount_point);
  std::ranges::stable_sort(found, [](const auto& left, const auto& right) {
    const auto key = [](const timespec& time) { return std::pair{time.tv_sec, time.tv_nsec}; };
    return key(left.first) > key(right.first);
  });
  std::vector<Entry> entries;
  for (auto& [time, entry] : found) entries.push_back(std::move(entry));
  return entries;
}

}  // namespace emud
