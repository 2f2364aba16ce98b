#include "ctl/own_store.h"

#include "emulator/catalog_fetch.h"
#include "emulator/listing.h"
#include "emulator/unfetched.h"
#include "wire/emulators.h"

namespace emud::ctl {

std::vector<wire::Emulator> as_messages(const std::vector<Manifest>& manifests) {
  std::vector<wire::Emulator> emulators;
  for (const auto& manifest : manifests) emulators.push_back(wire::as_message(manifest));
  return emulators;
}

Result<OwnStore> OwnStore::open() {
  EMUD_ASSIGN(Paths paths, Paths::user());
  EMUD_ASSIGN(Catalog catalog, Catalog::load(paths));
  Store store{paths};
  (void)store.sweep();  // what cannot be removed disturbs nobody
  return OwnStore{std::move(paths), std::move(store), std::move(catalog)};
}

Result<std::vector<wire::Emulator>> OwnStore::install(const std::vector<std::string>& architectures,
                                                      const std::string& version,
                                                      const ProgressHandler& progress) const {
  std::vector<CatalogEntry> entries;
  for (const std::string& name : architectures) {
    EMUD_ASSIGN(const Architecture* architecture, find_architecture(name));
    EMUD_ASSIGN(const CatalogEntry entry, catalog.find(*architecture, version));
    entries.push_back(entry);
  }
  const auto sink = [&](const InstallProgress& step) { progress(wire::as_message(step)); };
  EMUD_ASSIGN(
      const auto manifests,
      install_from_catalog(store, entries, package_fetcher(store, own_fetch_options()), sink));
  return as_messages(manifests);
}

Result<std::vector<wire::ListedEmulator>> OwnStore::list() const {
  EMUD_ASSIGN(const auto installed, store.list());
  std::vector<wire::ListedEmulator> emulators;
  const UnfetchedPackages unfetched{paths};
  const MayFetch may_fetch = [&](const CatalogPackage& package) {
    return !unfetched.recall(package);
  };
  auto holders = store.holders();
  for (const auto& one : list_emulators(installed, catalog, {}, may_fetch)) {
    emulators.push_back(wire::as_message(one));
    emulators.back().used_by = std::move(holders[one.digest]);
  }
  return emulators;
}

Result<std::vector<wire::CheckedEmulator>> OwnStore::verify() const {
  auto holders = store.holders();  // before what changed is moved away
  EMUD_ASSIGN(const auto checked, store.verify());
  std::vector<wire::CheckedEmulator> emulators;
  for (const auto& one : checked) {
    emulators.push_back(wire::as_message(one));
    emulators.back().used_by = std::move(holders[one.digest]);
  }
  return emulators;
}

Result<std::vector<wire::Emulator>> OwnStore::prune() const {
  EMUD_ASSIGN(const auto installed, store.list());
  EMUD_ASSIGN(const auto removed, store.take_out_all_but(default_digests(installed, catalog, {})));
  EMUD_TRY(store.sweep());
  return as_messages(removed);
}

}  // namespace emud::ctl
