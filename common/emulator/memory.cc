#include "emulator/memory.h"

#include <fmt/format.h>

namespace emud {
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
  return notes_.recall(name, state_text(status));
}

void FileMemory::remember(const std::string& name, const struct stat& status,
                          std::string_view note) const {
  notes_.remember(name, state_text(status), note);
}

}  // namespace emud
