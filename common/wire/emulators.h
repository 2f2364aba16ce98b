// What the store and the catalog know, as messages.
#pragma once

#include "emulator/catalog_install.h"
#include "emulator/listing.h"
#include "emulator/manifest.h"
#include "emulator/store.h"
#include "wire/messages.h"

namespace emud::wire {

[[nodiscard]] Progress as_message(const InstallProgress& progress);

// used_by of the last two is left empty: only emud knows.
[[nodiscard]] Emulator as_message(const Manifest& manifest);
[[nodiscard]] ListedEmulator as_message(const emud::ListedEmulator& listed);
[[nodiscard]] CheckedEmulator as_message(const emud::CheckedEmulator& checked);

// What the message says of it; the package's digest it does not.
[[nodiscard]] Manifest as_manifest(const Emulator& emulator);

}  // namespace emud::wire
