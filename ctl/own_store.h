// The caller's own store and the catalog, without emud: what rootless verbs about emulators do.
#pragma once

#include <string>
#include <vector>

#include "ctl/client.h"
#include "emulator/catalog.h"
#include "emulator/store.h"

namespace emud::ctl {

struct OwnStore {
  Paths paths;
  Store store;
  Catalog catalog;

  // Nothing is made, and what killed installations have left is removed. The errors of Paths::user
  // and Catalog::load.
  [[nodiscard]] static Result<OwnStore> open();

  // From the catalog: that version, or the default where it is empty.
  [[nodiscard]] Result<std::vector<wire::Emulator>> install(
      const std::vector<std::string>& architectures, const std::string& version,
      const ProgressHandler& progress) const;

  [[nodiscard]] Result<std::vector<wire::ListedEmulator>> list() const;
  [[nodiscard]] Result<std::vector<wire::CheckedEmulator>> verify() const;
  [[nodiscard]] Result<std::vector<wire::Emulator>> prune() const;
};

// The manifests as messages.
[[nodiscard]] std::vector<wire::Emulator> as_messages(const std::vector<Manifest>& manifests);

}  // namespace emud::ctl
