// Store: what finds out whether all of it is good.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
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

bool comes_before(const CheckedEmulator& a, const CheckedEmulator& b) {
  if (!a.manifest || !b.manifest) return a.manifest.has_value() > b.manifest.has_value();
  if (a.manifest->architecture != b.manifest->architecture) {
    return a.manifest->architecture < b.manifest->architecture;
  }
  return compare_versions(a.manifest->version, b.manifest->version) > 0;
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
      forget_entry(name, FileMemory::verified(paths_));
      EMUD_ASSIGN(checked.moved_to, quarantine(*store, name, paths_.quarantine()));
    }
    result.push_back(std::move(checked));
  }
  std::ranges::stable_sort(result, comes_before);
  return result;
}

}  // namespace emud
