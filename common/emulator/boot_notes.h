// Small notes that are good until what they are about changes or the machine reboots.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace emud {

// A directory of notes, each bound to a state (one line) and to this boot (base/boot.h). One that
// cannot be read or written is an empty one: it only saves work.
class BootNotes {
 public:
  // limit: of a note with its state, in bytes. A longer one is not kept, nor read.
  BootNotes(std::string directory, std::size_t limit)
      : directory_(std::move(directory)), limit_(limit) {}

  // The note kept under that name, if it was made in this boot about this very state. The file must
  // be trusted as open_trusted() says.
  [[nodiscard]] std::optional<std::string> recall(const std::string& name,
                                                  std::string_view state) const;

  // Keeps a note about that state, in place of an older one of that name.
  void remember(const std::string& name, std::string_view state, std::string_view note) const;

  void forget(const std::string& name) const;

 private:
  std::string directory_;
  std::size_t limit_;
};

}  // namespace emud
