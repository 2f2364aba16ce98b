// Emulators out of the catalog into the store: fetched, unpacked, each compared with its digest.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "emulator/catalog.h"
#include "emulator/store.h"

namespace emud {

// Where an installation is. done and total are bytes; 0 where they are not known.
struct InstallProgress {
  std::string step;    // "fetch", "wait for", "unpack", "install"
  std::string object;  // the package, or the emulator
  std::uint64_t done = 0;
  std::uint64_t total = 0;
};
using InstallProgressSink = std::function<void(const InstallProgress&)>;

struct FetchedPackage {
  UniqueFd file;       // of the size and digest that the catalog says
  std::string source;  // the URL it came from
};
using FetchPackage =
    std::function<Result<FetchedPackage>(const CatalogPackage&, const InstallProgressSink&)>;

// Installs these entries and returns their manifests in the same order. What is in a store already
// costs nothing; each package is fetched once, however many of its emulators are wanted. The same
// package wanted by several processes of one user at once is fetched once: the others wait for a
// lock in paths.runtime. Emulators installed before a failure stay: each is whole. The errors of
// `fetch`, of unpack.h and of Store::install; bad_package where a package lacks a member.
[[nodiscard]] Result<std::vector<Manifest>> install_from_catalog(
    const Store& store, std::span<const CatalogEntry> entries, const FetchPackage& fetch,
    const InstallProgressSink& progress);

}  // namespace emud
