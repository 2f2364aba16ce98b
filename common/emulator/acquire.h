// Where an emulator comes from when a build asks for one.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/catalog_install.h"
#include "emulator/choose.h"
#include "emulator/store.h"

namespace emud {

// What acquire_emulators works with. All of it must outlive the call.
struct Acquisition {
  const Store& store;
  const Catalog& catalog;
  EmulatorWish wish;
  FetchPackage fetch{};  // none: nothing is fetched
  // What is fetched although something that serves is installed (see choose.h); none: nothing.
  FetchPackage fetch_better{};
  InstallProgressSink progress = [](const InstallProgress&) {};
};

struct Acquired {
  Manifest manifest;
  // For its user: that a better one could not be fetched, why, and what to do. Empty: no such one.
  std::string note{};
  bool may_be_bettered = false;  // there is a better one, and fetching it was not allowed
};

// The emulators for these architectures, in their order: the machine's own static QEMU is copied
// into the store where it is new or was upgraded, then the rule of choose.h decides; what it says
// must be fetched is fetched, each package once. All that is chosen was hashed and is remembered as
// good: Store::get answers at once. Blocks: hashing takes tens of milliseconds the first time,
// fetching as long as it takes. A better one that could not be fetched is not tried again for
// UnfetchedPackages::lifetime. not_found, with what to do, where there is none and nothing is
// fetched; the reason why the machine's own one did not serve, if that is the cause; the errors of
// install_from_catalog.
[[nodiscard]] Result<std::vector<Acquired>> acquire_emulators(
    const Acquisition& acquisition, std::span<const Architecture* const> architectures);

// One that must be there already: the machine's own or an installed one.
[[nodiscard]] Result<VerifiedEmulator> acquire_emulator(const Store& store,
                                                        const Architecture& architecture,
                                                        std::string_view version);

// The files that are looked at for the machine's own, in this order: qemu-<arch>-static,
// qemu-<arch>.
[[nodiscard]] std::vector<std::string> machine_emulators(const Architecture& architecture,
                                                         std::string_view folder = "/usr/bin");

}  // namespace emud
