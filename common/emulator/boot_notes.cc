#include "emulator/boot_notes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/boot.h"
#include "base/file.h"
#include "emulator/files.h"

namespace emud {
namespace {

// The line that a note about this state begins with; empty where the kernel does not tell the boot.
std::string heading(std::string_view state) {
  if (boot_id().empty()) return {};
  return fmt::format("{} {}\n", boot_id(), state);
}

}  // namespace

std::optional<std::string> BootNotes::recall(const std::string& name,
                                             std::string_view state) const {
  const std::string path = fmt::format("{}/{}", directory_, name);
  const auto file = open_trusted(AT_FDCWD, path, 0, path);
  if (!file) return std::nullopt;
  const auto text = read_all(file->fd.get(), path, limit_);
  const std::string begin = heading(state);
  if (!text || begin.empty() || !text->starts_with(begin)) return std::nullopt;
  return text->substr(begin.size());
}

void BootNotes::remember(const std::string& name, std::string_view state,
                         std::string_view note) const {
  const std::string begin = heading(state);
  if (begin.empty() || begin.size() + note.size() > limit_) return;
  const auto directory = make_directories(directory_, 0755);
  if (!directory) return;
  (void)replace_file(directory->get(), name, fmt::format("{}{}", begin, note), 0644,
                     Durability::until_reboot);
}

void BootNotes::forget(const std::string& name) const {
  ::unlink(fmt::format("{}/{}", directory_, name).c_str());
}

}  // namespace emud
