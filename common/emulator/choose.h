// Which emulator a build gets, of those that are installed and those that could be fetched.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "emulator/catalog.h"
#include "emulator/manifest.h"

namespace emud {

struct EmulatorWish {
  std::string version;     // named by the request: "7.2" takes 7.2.22; empty: none
  std::string configured;  // the administrator's default, in the same form; empty: none

  // The version that counts: the request's, else the configured one; empty: any.
  [[nodiscard]] const std::string& wanted() const { return version.empty() ? configured : version; }
};

// What a build gets. At least one of the two is there.
struct Choice {
  std::optional<Manifest> installed;  // used as it is, without the network ...
  // ... but where this is there, only if it cannot be fetched: nothing that serves is installed, or
  // what is has a known problem that this has not. It lives as long as the catalog.
  std::optional<CatalogEntry> better;
};

// The rule, the same for emud and rootless. The machine's own static QEMU counts as installed.
//  1. A version is named (by the request, else by the configuration): the newest installed one that
//     it takes, else the newest of the catalog that it takes.
//  2. None is named: of those installed the newest that no note of the catalog speaks of;
//  3. if there is none, the newest of the catalog that no note speaks of;
//  4. and where that is not there or cannot be fetched, of those installed the newest that is only
//     slow, else the newest; and where none is installed, the catalog's by the same order
//     (Catalog::find).
// installed: the manifests of the store, of all architectures. not_found, with what is installed
// and what the catalog has, when neither serves.
[[nodiscard]] Result<Choice> choose_emulator(std::span<const Manifest> installed,
                                             const Catalog& catalog,
                                             const Architecture& architecture,
                                             const EmulatorWish& wish);

// The same among the installed ones only.
[[nodiscard]] Result<Manifest> choose_installed(std::span<const Manifest> installed,
                                                const Catalog& catalog,
                                                const Architecture& architecture,
                                                const EmulatorWish& wish);

}  // namespace emud
