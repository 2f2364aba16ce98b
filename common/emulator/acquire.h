// Where an emulator comes from when a build asks for one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "emulator/store.h"

namespace emud {

// The machine's own static QEMU is copied into the store where it is new or was upgraded, then the
// store is asked. May hash much: tens of milliseconds the first time. The error is the store's,
// with the reason why the machine's own one did not serve, if there is one.
[[nodiscard]] Result<VerifiedEmulator> acquire_emulator(const Store& store,
                                                        const Architecture& architecture,
                                                        std::string_view version);

// The files that are looked at for the machine's own, in this order: qemu-<arch>-static,
// qemu-<arch>.
[[nodiscard]] std::vector<std::string> machine_emulators(const Architecture& architecture,
                                                         std::string_view folder = "/usr/bin");

}  // namespace emud
