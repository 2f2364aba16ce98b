#include "emulator/acquire.h"

#include <fmt/format.h>

namespace emud {

Result<VerifiedEmulator> acquire_emulator(const Store& store, const Architecture& architecture,
                                          std::string_view version) {
  const auto adopted = store.adopt_machine_emulator(architecture);
  auto found = store.find(architecture, version);
  if (found || adopted || adopted.error().code == Errc::not_found ||
      found.error().code != Errc::not_found)
    return found;
  return std::unexpected(adopted.error());
}

std::vector<std::string> machine_emulators(const Architecture& architecture,
                                           std::string_view folder) {
  return {fmt::format("{}/qemu-{}-static", folder, architecture.name),
          fmt::format("{}/qemu-{}", folder, architecture.name)};
}

}  // namespace emud
