// An emulator that the store found good, without its files open: to have it again for the price of
// opening those.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

#include "emulator/store.h"

namespace emud {

class RememberedEmulator {
 public:
  explicit RememberedEmulator(const VerifiedEmulator& emulator);

  // The emulator again, if the files at its paths are still in the very state in which they were
  // found good (device, inode, size, mtime and ctime, as FileMemory compares them). Nothing where
  // one was changed, replaced, removed or touched, or cannot be opened: Store::get() looks into it
  // anew.
  [[nodiscard]] std::optional<VerifiedEmulator> open() const;

 private:
  struct File {
    std::string path;
    struct stat state;  // before its bytes were found good
  };

  [[nodiscard]] static File file_of(const StoredFile& stored);
  [[nodiscard]] static std::optional<StoredFile> open(const File& known);

  Manifest manifest_;
  File emulator_;
  std::optional<File> composed_;
};

}  // namespace emud
