#include "emulator/listing.h"

#include <algorithm>

#include "emulator/version.h"

namespace emud {
namespace {

std::vector<std::string> notes_of(const Catalog& catalog, const std::string& architecture,
                                  const std::string& version) {
  std::vector<std::string> notes;
  const auto known = find_architecture(architecture);
  if (!known) return notes;
  for (const CatalogNote* note : catalog.notes_for(**known, version)) {
    notes.push_back(advice(*note));
  }
  return notes;
}

bool is_before(const ListedEmulator& a, const ListedEmulator& b) {
  if (a.architecture != b.architecture) return a.architecture < b.architecture;
  if (const auto order = compare_versions(a.version, b.version); order != 0) return order > 0;
  if (a.is_installed != b.is_installed) return a.is_installed;
  return a.installed != b.installed ? a.installed > b.installed : a.digest < b.digest;
}

void add_available(std::vector<ListedEmulator>& list, const Catalog& catalog) {
  for (const CatalogPackage& package : catalog.packages()) {
    if (package.host != host_architecture().name) continue;
    for (const CatalogMember& member : package.members) {
      const auto known = std::ranges::find(list, member.sha256, &ListedEmulator::digest);
      if (known != list.end()) {
        known->size = package.size;
        continue;
      }
      list.push_back({.architecture = std::string{member.architecture->name},
                      .version = package.version,
                      .digest = member.sha256,
                      .is_installed = false,
                      .is_default = false,
                      .source = package.file,
                      .installed = {},
                      .size = package.size,
                      .notes = {}});
    }
  }
}

void mark_defaults(std::vector<ListedEmulator>& list, std::span<const Manifest> installed,
                   const Catalog& catalog, const std::string& configured,
                   const MayFetch& may_fetch) {
  for (const Architecture& architecture : architectures()) {
    const auto choice = choose_emulator(installed, catalog, architecture,
                                        {.version = {}, .configured = configured});
    if (!choice) continue;
    const bool is_fetched =
        choice->better && (!choice->installed || may_fetch(*choice->better->package));
    const std::string& digest =
        is_fetched ? choice->better->member->sha256 : choice->installed->digest;
    const auto found = std::ranges::find(list, digest, &ListedEmulator::digest);
    if (found != list.end()) found->is_default = true;
  }
}

}  // namespace

std::vector<ListedEmulator> list_emulators(std::span<const Manifest> installed,
                                           const Catalog& catalog, const std::string& configured,
                                           const MayFetch& may_fetch) {
  std::vector<ListedEmulator> list;
  for (const Manifest& manifest : installed) {
    list.push_back({.architecture = manifest.architecture,
                    .version = manifest.version,
                    .digest = manifest.digest,
                    .is_installed = true,
                    .is_default = false,
                    .source = manifest.source,
                    .installed = manifest.installed,
                    .size = 0,
                    .notes = {}});
  }
  add_available(list, catalog);
  mark_defaults(list, installed, catalog, configured, may_fetch);
  for (ListedEmulator& emulator : list) {
    emulator.notes = notes_of(catalog, emulator.architecture, emulator.version);
  }
  std::ranges::sort(list, is_before);
  return list;
}

std::vector<std::string> default_digests(std::span<const Manifest> installed,
                                         const Catalog& catalog, const std::string& configured) {
  std::vector<std::string> digests;
  for (const Architecture& architecture : architectures()) {
    const auto chosen = choose_installed(installed, catalog, architecture,
                                         {.version = {}, .configured = configured});
    if (chosen) digests.push_back(chosen->digest);
  }
  return digests;
}

}  // namespace emud
