#include "emulator/remembered.h"

#include <fcntl.h>

#include <utility>

#include "emulator/files.h"
#include "emulator/memory.h"

namespace emud {

RememberedEmulator::RememberedEmulator(const VerifiedEmulator& emulator)
    : manifest_(emulator.manifest()), emulator_(file_of(emulator.entry_.emulator)) {
  if (emulator.entry_.composed) composed_ = file_of(*emulator.entry_.composed);
}

RememberedEmulator::File RememberedEmulator::file_of(const StoredFile& stored) {
  return {.path = stored.path, .state = stored.file.status};
}

std::optional<StoredFile> RememberedEmulator::open(const File& known) {
  auto file = open_trusted(AT_FDCWD, known.path, 0, known.path);
  if (!file || !is_same_state(file->status, known.state)) return std::nullopt;
  return StoredFile{known.path, *std::move(file)};
}

std::optional<VerifiedEmulator> RememberedEmulator::open() const {
  auto emulator = open(emulator_);
  if (!emulator) return std::nullopt;
  StoreEntry entry{manifest_, *std::move(emulator), {}};
  if (composed_) {
    entry.composed = open(*composed_);
    if (!entry.composed) return std::nullopt;
  }
  return VerifiedEmulator{std::move(entry)};
}

}  // namespace emud
