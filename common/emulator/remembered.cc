#include "emulator/remembered.h"

#include <fcntl.h>

#include <utility>

#include "emulator/files.h"
#include "emulator/memory.h"

namespace emud {

RememberedEmulator::RememberedEmulator(const VerifiedEmulator& emulator)
    : manifest_(emulator.manifest()), path_(emulator.path()), state_(emulator.state()) {}

std::optional<VerifiedEmulator> RememberedEmulator::open() const {
  auto file = open_trusted(AT_FDCWD, path_, 0, path_);
  if (!file || !is_same_state(file->status, state_)) return std::nullopt;
  return VerifiedEmulator{manifest_, path_, *std::move(file)};
}

}  // namespace emud
