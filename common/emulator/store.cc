#include "emulator/store.h"

#include <fmt/format.h>

#include <algorithm>

#include "emulator/store_entry.h"
#include "emulator/version.h"

namespace emud {
namespace {

constexpr std::string_view install_hint =
    "Install it with `emuctl emulator install ARCH`, or the machine's package qemu-user-static (on "
    "newer Debian: qemu-user)";

bool is_preferred(const StoreEntry& a, const StoreEntry& b) {
  const Manifest& x = a.manifest;
  const Manifest& y = b.manifest;
  if (x.architecture != y.architecture) return x.architecture < y.architecture;
  if (const auto order = compare_versions(x.version, y.version); order != 0) return order > 0;
  if (x.installed != y.installed) return x.installed > y.installed;
  return x.digest < y.digest;
}

// The entries of one store; an absent one, or none (an empty path), has none.
Result<> add_entries(const std::string& path, std::vector<StoreEntry>& entries,
                     std::optional<Error>* problem) {
  if (path.empty()) return {};
  const auto store = open_store(path);
  if (!store && store.error().code == Errc::not_found) return {};
  if (!store) return std::unexpected(store.error());
  EMUD_ASSIGN(auto added, open_entries(*store, problem));
  for (StoreEntry& entry : added) {
    const bool is_known = std::ranges::any_of(entries, [&](const StoreEntry& known) {
      return known.manifest.digest == entry.manifest.digest;
    });
    if (!is_known) entries.push_back(std::move(entry));
  }
  return {};
}

Result<std::vector<StoreEntry>> sorted_entries(const Paths& paths,
                                               std::optional<Error>* problem = nullptr) {
  std::vector<StoreEntry> entries;
  EMUD_TRY(add_entries(paths.store(), entries, problem));
  // A system's store that may not be read is as good as none.
  (void)add_entries(paths.system_store, entries, nullptr);
  std::ranges::sort(entries, is_preferred);
  return entries;
}

Failure nothing_found(const std::vector<StoreEntry>& entries, const Architecture& architecture,
                      std::string_view version) {
  std::string versions;
  for (const StoreEntry& entry : entries) {
    if (entry.manifest.architecture != architecture.name) continue;
    versions += fmt::format("{}{}", versions.empty() ? "" : ", ", entry.manifest.version);
  }
  if (versions.empty()) {
    return fail(Errc::not_found, "find emulator", architecture.name, "none is installed",
                install_hint);
  }
  return fail(Errc::not_found, "find emulator", fmt::format("{} {}", architecture.name, version),
              fmt::format("installed versions: {}", versions),
              "Choose one of these with --emulator, or install the one you need with `emuctl "
              "emulator install ARCH --emulator VERSION`");
}

}  // namespace

Result<std::vector<Manifest>> Store::list() const {
  EMUD_ASSIGN(auto entries, sorted_entries(paths_));
  std::vector<Manifest> manifests;
  manifests.reserve(entries.size());
  for (StoreEntry& entry : entries) manifests.push_back(std::move(entry.manifest));
  return manifests;
}

Result<VerifiedEmulator> Store::find(const Architecture& architecture,
                                     std::string_view version) const {
  std::optional<Error> problem;
  EMUD_ASSIGN(auto entries, sorted_entries(paths_, &problem));
  const auto found = std::ranges::find_if(entries, [&](const StoreEntry& entry) {
    return entry.manifest.architecture == architecture.name &&
           version_matches(entry.manifest.version, version);
  });
  if (found == entries.end() && problem) return std::unexpected(*std::move(problem));
  if (found == entries.end()) return nothing_found(entries, architecture, version);
  EMUD_TRY(verify_entry(*found, FileMemory::verified(paths_)));
  return VerifiedEmulator{std::move(*found)};
}

Result<VerifiedEmulator> Store::get(std::string_view digest) const {
  EMUD_ASSIGN(const auto parsed, Digest::parse(digest));
  const std::string name = parsed.hex();
  std::optional<Error> problem;
  for (const std::string& path : {paths_.store(), paths_.system_store}) {
    if (path.empty()) continue;
    const auto store = open_store(path);
    auto entry =
        store ? open_entry(*store, name) : Result<StoreEntry>{std::unexpected(store.error())};
    if (!entry && entry.error().code == Errc::not_found) continue;
    auto good = entry ? verify_entry(*entry, FileMemory::verified(paths_))
                      : Result<>{std::unexpected(entry.error())};
    if (good) return VerifiedEmulator{*std::move(entry)};
    if (!problem) problem = std::move(good).error();
  }
  if (problem) return std::unexpected(*std::move(problem));
  return fail(Errc::not_found, "find emulator", name, "it is not in the store", install_hint);
}

std::optional<Manifest> Store::installed(std::string_view digest) const {
  auto emulator = get(digest);
  if (!emulator) return std::nullopt;
  return emulator->manifest();
}

Result<UniqueFd> Store::make_temporary() const {
  EMUD_ASSIGN(const auto store, make_store(paths_.store()));
  return make_unnamed_file(store.fd.get(), store.path);
}

}  // namespace emud
