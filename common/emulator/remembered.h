// An emulator that the store found good, without its file open: to have it again for the price of
// opening that.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

#include "emulator/store.h"

namespace emud {

class RememberedEmulator {
 public:
  explicit RememberedEmulator(const VerifiedEmulator& emulator);

  // The emulator again, if the file at its path is still in the very state in which it was found
  // good (device, inode, size, mtime and ctime, as FileMemory compares them). Nothing where it was
  // changed, replaced, removed or touched, or cannot be opened: Store::get() looks into it anew.
  [[nodiscard]] std::optional<VerifiedEmulator> open() const;

 private:
  Manifest manifest_;
  std::string path_;
  struct stat state_;
};

}  // namespace emud
