#include "emulator/memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/boot.h"
#include "base/file.h"
#include "emulator/files.h"

namespace emud {
namespace {

// The line that a note about this file begins with; empty where the kernel does not tell the boot.
std::string heading(const struct stat& status) {
  if (boot_id().empty()) return {};
  return fmt::format("{} {}\n", boot_id(), state_text(status));
}

}  // namespace

std::string state_text(const struct stat& status) {
  return fmt::format("{} {} {} {}.{:09} {}.{:09}", status.st_dev, status.st_ino, status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
                     status.st_ctim.tv_nsec);
}

bool is_same_state(const struct stat& a, const struct stat& b) {
  const auto is_same_time = [](const timespec& x, const timespec& y) {
    return x.tv_sec == y.tv_sec && x.tv_nsec == y.tv_nsec;
  };
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         is_same_time(a.st_mtim, b.st_mtim) && is_same_time(a.st_ctim, b.st_ctim);
}

FileMemory FileMemory::verified(const Paths& paths) {
  return FileMemory{paths.runtime + "/verified"};
}

FileMemory FileMemory::adopted(const Paths& paths) {
  return FileMemory{paths.runtime + "/machine"};
}

std::optional<std::string> FileMemory::recall(const std::string& name,
                                              const struct stat& status) const {
  const std::string path = fmt::format("{}/{}", directory_, name);
  const auto file = open_trusted(AT_FDCWD, path, 0, path);
  if (!file) return std::nullopt;
  const auto text = read_all(file->fd.get(), path, 4096);
  const std::string begin = heading(status);
  if (!text || begin.empty() || !text->starts_with(begin)) return std::nullopt;
  return text->substr(begin.size());
}

void FileMemory::remember(const std::string& name, const struct stat& status,
                          std::string_view note) const {
  const std::string begin = heading(status);
  if (begin.empty()) return;
  const auto directory = make_directories(directory_, 0755);
  if (!directory) return;
  (void)replace_file(directory->get(), name, fmt::format("{}{}", begin, note), 0644,
                     Durability::until_reboot);
}

void FileMemory::forget(const std::string& name) const {
  ::unlink(fmt::format("{}/{}", directory_, name).c_str());
}

}  // namespace emud
