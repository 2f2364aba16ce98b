// Store: what looks after all of it.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "emulator/acquire.h"
#include "emulator/store.h"
#include "emulator/store_entry.h"
#include "emulator/temporary.h"
#include "emulator/version.h"

namespace emud {
namespace {

bool is_entry_name(const std::string& name) {
  const auto digest = Digest::parse(name);
  return digest && digest->hex() == name;
}

// The store, or nothing where there is none.
Result<std::optional<StoreDirectory>> open_if_there(const std::string& path) {
  auto store = open_store(path);
  if (!store && store.error().code == Errc::not_found) return std::nullopt;
  if (!store) return std::unexpected(std::move(store).error());
  return std::optional{*std::move(store)};
}

CheckedEmulator check(const StoreDirectory& store, const std::string& name) {
  CheckedEmulator checked{.digest = name, .manifest = {}, .problem = {}, .moved_to = {}};
  auto entry = open_entry(store, name);
  if (!entry) {
    checked.problem = std::move(entry).error();
    return checked;
  }
  checked.manifest = entry->manifest;
  if (auto good = hash_entry(*entry); !good) checked.problem = std::move(good).error();
  return checked;
}

// Moves an entry out of the store: rename(2) takes it away in one step. Where something of its name
// lies there already the new one gets a number.
Result<std::string> quarantine(const StoreDirectory& store, const std::string& name,
                               const std::string& folder) {
  EMUD_ASSIGN(const UniqueFd aside, make_directories(folder, 0700));
  EMUD_ASSIGN(const std::string target, random_name(name + "-"));
  if (::renameat(store.fd.get(), name.c_str(), aside.get(), target.c_str()) != 0) {
    return fail_errno("move aside", fmt::format("{}/{}", store.path, name));
  }
  if (::fsync(store.fd.get()) != 0) return fail_errno("write to disk", store.path);
  return fmt::format("{}/{}", folder, target);
}

bool is_before(const CheckedEmulator& a, const CheckedEmulator& b) {
  if (!a.manifest || !b.manifest) return a.manifest.has_value() > b.manifest.has_value();
  if (a.manifest->architecture != b.manifest->architecture) {
    return a.manifest->architecture < b.manifest->architecture;
  }
  return compare_versions(a.manifest->version, b.manifest->version) > 0;
}

// The digest that the machine's own emulator was adopted under, if it is still that file.
std::optional<std::string> adopted_digest(const Paths& paths, const std::string& architecture,
                                          const std::string& machine_bin) {
  const auto known = find_architecture(architecture);
  if (!known) return std::nullopt;
  for (const std::string& path : machine_emulators(**known, machine_bin)) {
    struct stat status = {};
    if (::stat(path.c_str(), &status) != 0) continue;
    if (auto digest = FileMemory::adopted(paths).recall(architecture, status)) return digest;
  }
  return std::nullopt;
}

}  // namespace

Result<std::vector<CheckedEmulator>> Store::verify() const {
  EMUD_ASSIGN(const auto store, open_if_there(paths_.store()));
  std::vector<CheckedEmulator> result;
  if (!store) return result;
  EMUD_ASSIGN(const auto names, list_directory(store->fd.get(), "."));
  for (const std::string& name : names) {
    if (!is_entry_name(name)) continue;
    CheckedEmulator checked = check(*store, name);
    if (checked.problem && checked.problem->code == Errc::not_found &&
        ::faccessat(store->fd.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0) {
      continue;  // removed meanwhile
    }
    if (checked.problem) {
      FileMemory::verified(paths_).forget(name);
      EMUD_ASSIGN(checked.moved_to, quarantine(*store, name, paths_.quarantine()));
    }
    result.push_back(std::move(checked));
  }
  std::ranges::stable_sort(result, is_before);
  return result;
}

Result<std::vector<Manifest>> Store::prune(std::span<const std::string> keep) const {
  EMUD_ASSIGN(const auto store, open_if_there(paths_.store()));
  std::vector<Manifest> removed;
  if (!store) return removed;
  EMUD_ASSIGN(auto entries, open_entries(*store));
  for (StoreEntry& entry : entries) {
    Manifest& manifest = entry.manifest;
    const bool is_kept =
        std::ranges::find(keep, manifest.digest) != keep.end() ||
        adopted_digest(paths_, manifest.architecture, machine_bin_) == manifest.digest;
    if (is_kept) continue;
    auto gone = discard(*store, manifest.digest);
    if (!gone && gone.error().code == Errc::not_found) continue;  // removed meanwhile
    if (!gone) return std::unexpected(std::move(gone).error());
    FileMemory::verified(paths_).forget(manifest.digest);
    removed.push_back(std::move(manifest));
  }
  return removed;
}

}  // namespace emud
