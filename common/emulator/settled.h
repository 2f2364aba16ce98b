// Choices of emulators, remembered until anything they depend on changes or the machine reboots.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "arch/architecture.h"
#include "base/paths.h"
#include "emulator/boot_notes.h"

namespace emud {

// Which emulator an architecture got, and what its user should know.
struct SettledChoice {
  std::string digest;
  std::vector<std::string> notes;
};

// The choices of one request. To read the catalog and what is installed takes longer than to start
// a program. They are notes (boot_notes.h) about the state of the files of fingerprint.h.
class SettledChoices {
 public:
  // Looks at the files of fingerprint.h: what is remembered will be bound to the state they are in
  // now. version: as the request names it; empty: none.
  SettledChoices(const Paths& paths, const std::vector<const Architecture*>& architectures,
                 const std::string& version);

  // All of them, in the architectures' order, if each was remembered in this state.
  [[nodiscard]] std::optional<std::vector<SettledChoice>> recall() const;

  // The choice for the architecture of that index. Only one that would be the same the next time:
  // one that waits for something better to be fetched is not settled.
  void remember(std::size_t index, const SettledChoice& choice) const;

 private:
  struct Memory {
    std::string name, state;  // of the note
  };

  [[nodiscard]] std::optional<SettledChoice> read(const Memory& memory) const;

  BootNotes notes_;               // in paths.runtime
  std::vector<Memory> memories_;  // of the architectures; none where none can be kept
};

}  // namespace emud
