#include "emulator/catalog_install.h"

#include <fmt/format.h>

#include <algorithm>

#include "emulator/install_lock.h"
#include "emulator/space.h"
#include "emulator/unfetched.h"
#include "emulator/unpack.h"

namespace emud {
namespace {

std::string name_of(const CatalogEntry& entry) {
  return fmt::format("{} {}", entry.member->architecture->name, entry.package->version);
}

std::vector<CatalogEntry> missing_of(const Store& store, std::span<const CatalogEntry> entries,
                                     const CatalogPackage* package) {
  std::vector<CatalogEntry> missing;
  std::ranges::copy_if(entries, std::back_inserter(missing), [&](const CatalogEntry& entry) {
    return entry.package == package && !store.installed(entry.member->sha256);
  });
  return missing;
}

Result<> install_from_package(const Store& store, std::span<const CatalogEntry> entries,
                              const CatalogPackage& package, const FetchPackage& fetch,
                              const InstallProgressSink& progress) {
  if (missing_of(store, entries, &package).empty()) return {};
  EMUD_ASSIGN(const Digest digest, Digest::parse(package.sha256));
  EMUD_ASSIGN(const UniqueFd lock, lock_install(store.paths(), digest, [&] {
                progress({.step = "wait for", .object = package.file});
              }));
  const auto missing = missing_of(store, entries, &package);
  if (missing.empty()) return {};  // another process has done it meanwhile
  EMUD_ASSIGN(FetchedPackage fetched, fetch(package, progress));
  progress({.step = "unpack", .object = package.file});
  std::vector<PackageMember> members;
  for (const CatalogEntry& entry : missing) {
    members.push_back({entry.member->architecture, entry.member->path});
  }
  EMUD_ASSIGN(auto unpacked, unpack_members(store, fetched.file.get(), package.file, members));
  fetched.file.reset();  // its space is needed
  for (const CatalogEntry& entry : missing) {
    const auto found = std::ranges::find(unpacked, entry.member->path, &UnpackedEmulator::member);
    if (found == unpacked.end()) {
      return fail(Errc::bad_package, "install", package.file,
                  fmt::format("it does not hold {}", entry.member->path),
                  "The catalog is wrong about it: tell whoever made the catalog");
    }
    progress({.step = "install", .object = name_of(entry)});
    EMUD_TRY(store.install(found->file.get(), *entry.member->architecture, fetched.source,
                           package.sha256, entry.member->sha256));
    found->file.reset();
  }
  UnfetchedPackages{store.paths()}.forget(package);
  return {};
}

}  // namespace

Result<std::vector<Manifest>> install_from_catalog(const Store& store,
                                                   std::span<const CatalogEntry> entries,
                                                   const FetchPackage& fetch,
                                                   const InstallProgressSink& progress) {
  for (const CatalogEntry& entry : entries) {
    EMUD_TRY(with_space_hint(install_from_package(store, entries, *entry.package, fetch, progress),
                             store.paths().store()));
  }
  std::vector<Manifest> manifests;
  for (const CatalogEntry& entry : entries) {
    auto manifest = store.installed(entry.member->sha256);
    if (!manifest) {
      return fail(Errc::not_found, "install", name_of(entry), "it was removed meanwhile",
                  "Install it again");
    }
    manifests.push_back(*std::move(manifest));
  }
  return manifests;
}

}  // namespace emud
