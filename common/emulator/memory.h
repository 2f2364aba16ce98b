// What was once found out about a file, remembered until the file changes or the machine reboots.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/paths.h"
#include "emulator/boot_notes.h"

namespace emud {

// Notes (boot_notes.h), each bound to the state of one file: device, inode, size, mtime and ctime
// (no program can set the ctime).
class FileMemory {
 public:
  explicit FileMemory(std::string directory) : notes_(std::move(directory), 4096) {}

  // The store's memories in the runtime directory: emulators found good, by digest (the note is the
  // digest), and the machine's emulators that were adopted, by architecture (the same).
  [[nodiscard]] static FileMemory verified(const Paths& paths);
  [[nodiscard]] static FileMemory adopted(const Paths& paths);

  // The note kept under that name, if it was made in this boot about a file in this very state.
  [[nodiscard]] std::optional<std::string> recall(const std::string& name,
                                                  const struct stat& status) const;

  // Keeps a note (one line) about a file in that state, in place of an older one of that name.
  void remember(const std::string& name, const struct stat& status, std::string_view note) const;

  void forget(const std::string& name) const { notes_.forget(name); }

 private:
  BootNotes notes_;
};

// The state of a file, as FileMemory sees it: equal texts, equal states.
[[nodiscard]] std::string state_text(const struct stat& status);

// Whether both are the same state of the same file, as FileMemory sees it.
[[nodiscard]] bool is_same_state(const struct stat& a, const struct stat& b);

}  // namespace emud
