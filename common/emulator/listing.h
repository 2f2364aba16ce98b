// Catalog and store side by side: what `emuctl emulator list` shows.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "emulator/choose.h"

namespace emud {

// One emulator that is installed, or could be.
struct ListedEmulator {
  std::string architecture;
  std::string version;
  std::string digest;
  bool is_installed = false;
  bool is_default = false;         // what a build gets that names no version
  std::string source;              // installed: where it came from; else the package's file name
  std::string installed;           // the time; empty where it is not
  std::uint64_t size = 0;          // of the package to fetch, in bytes; 0 where it is not known
  std::vector<std::string> notes;  // what is known to be wrong with it: "<text>. <instead>"
};

// Whether a package would be fetched where something that serves is installed.
using MayFetch = std::function<bool(const CatalogPackage&)>;

// All that are installed and all that the catalog has for this machine, each once: by architecture,
// the newest version first. The default of an architecture follows the rule of choose.h.
[[nodiscard]] std::vector<ListedEmulator> list_emulators(std::span<const Manifest> installed,
                                                         const Catalog& catalog,
                                                         const std::string& configured,
                                                         const MayFetch& may_fetch);

// The digests of what the rule gives for each architecture that is installed, without fetching.
[[nodiscard]] std::vector<std::string> default_digests(std::span<const Manifest> installed,
                                                       const Catalog& catalog,
                                                       const std::string& configured);

}  // namespace emud
