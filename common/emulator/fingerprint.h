// In which state the files are that the choice of an emulator depends on: equal texts, equal files.
// A state is that of FileMemory (memory.h).
#pragma once

#include <string>

#include "arch/architecture.h"
#include "base/paths.h"

namespace emud {

// The catalog's: the program's own and the administrator's additions.
[[nodiscard]] std::string catalog_state(const Paths& paths);

// Those of what is installed: the stores' directories, and the machine's own emulators for the
// architecture.
[[nodiscard]] std::string installed_state(const Paths& paths, const Architecture& architecture);

}  // namespace emud
