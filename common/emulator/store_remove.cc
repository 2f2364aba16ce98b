// Store: what takes something out of it.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/file.h"
#include "emulator/acquire.h"
#include "emulator/in_use.h"
#include "emulator/store.h"
#include "emulator/store_entry.h"
#include "emulator/temporary.h"

namespace emud {
namespace {

Failure missing(const std::string& digest) {
  return fail(Errc::not_found, "remove emulator", digest, "it is not in the store",
              "See 'emuctl emulator list' for what is");
}

Failure in_use(const std::string& digest, const struct stat& entry) {
  const auto leases = SharedLocks::read().leases_on(entry);
  return fail(
      Errc::busy, "remove emulator", digest,
      fmt::format("in use by {}", leases.empty() ? std::string{"a running lease"}
                                                 : fmt::format("{}", fmt::join(leases, ", "))),
      "Wait until the leases have ended, or end them");
}

// An entry that is on its way out, locked so that nobody begins to use or sweeps it.
struct Leaving {
  std::string name, temporary;
  UniqueFd lock;
};

Result<Leaving> lock_entry(const StoreDirectory& store, const std::string& name) {
  Leaving leaving{.name = name, .temporary = {}, .lock = {}};
  EMUD_ASSIGN(leaving.temporary, random_name(temporary_prefix));
  auto directory = open_at(store.fd.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!directory && directory.error().code == Errc::not_found) return missing(name);
  if (!directory) return leaving;  // no directory at all: nobody uses it
  struct stat status = {};
  if (::flock(directory->get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK &&
      ::fstat(directory->get(), &status) == 0) {
    return in_use(name, status);
  }
  leaving.lock = *std::move(directory);
  return leaving;
}

void put_back(int store, std::span<const Leaving> entries) {
  for (const Leaving& entry : entries) {
    ::renameat(store, entry.temporary.c_str(), store, entry.name.c_str());
  }
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

Result<> Store::take_out(std::span<const std::string> digests) const {
  std::vector<std::string> names;
  for (const std::string& text : digests) {
    EMUD_ASSIGN(const Digest digest, Digest::parse(text));
    if (std::ranges::find(names, digest.hex()) == names.end()) names.push_back(digest.hex());
  }
  if (names.empty()) return {};
  const auto store = open_store(paths_.store());
  if (!store && store.error().code == Errc::not_found) return missing(names.front());
  if (!store) return std::unexpected(store.error());
  std::vector<Leaving> entries;
  for (const std::string& name : names) {
    EMUD_ASSIGN(Leaving leaving, lock_entry(*store, name));
    entries.push_back(std::move(leaving));
  }
  const int fd = store->fd.get();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (::renameat(fd, entries[i].name.c_str(), fd, entries[i].temporary.c_str()) == 0) continue;
    auto failure = fail_errno("remove emulator", fmt::format("{}/{}", store->path, names[i]));
    put_back(fd, {entries.data(), i});
    return failure;
  }
  for (const std::string& name : names) forget_entry(name, FileMemory::verified(paths_));
  if (::fsync(fd) != 0) return fail_errno("write to disk", store->path);
  return {};
}

Result<std::vector<Manifest>> Store::take_out_all_but(std::span<const std::string> keep) const {
  std::vector<Manifest> taken;
  const auto store = open_store(paths_.store());
  if (!store && store.error().code == Errc::not_found) return taken;
  if (!store) return std::unexpected(store.error());
  EMUD_ASSIGN(auto entries, open_entries(*store));
  for (StoreEntry& entry : entries) {
    Manifest& manifest = entry.manifest;
    if (std::ranges::find(keep, manifest.digest) != keep.end() ||
        adopted_digest(paths_, manifest.architecture, machine_bin_) == manifest.digest) {
      continue;
    }
    const auto gone = take_out({&manifest.digest, 1});
    if (gone) {
      taken.push_back(std::move(manifest));
    } else if (gone.error().code != Errc::busy && gone.error().code != Errc::not_found) {
      return std::unexpected(gone.error());
    }
  }
  return taken;
}

Result<> Store::remove(std::string_view digest) const {
  const std::string name{digest};
  EMUD_TRY(take_out({&name, 1}));
  return sweep();
}

Result<> Store::sweep(Sweep mode) const {
  const auto store = open_store(paths_.store());
  if (!store && store.error().code == Errc::not_found) return {};
  if (!store) return std::unexpected(store.error());
  return sweep_temporaries(*store, mode);
}

std::map<std::string, std::vector<std::string>> Store::holders() const {
  std::map<std::string, std::vector<std::string>> holders;
  const SharedLocks locks = SharedLocks::read();
  for (const std::string& path : {paths_.store(), paths_.system_store}) {
    if (path.empty()) continue;
    const auto store = open_store(path);
    if (!store) continue;
    const auto names = list_directory(store->fd.get(), ".");
    for (const std::string& name : names.value_or(std::vector<std::string>{})) {
      struct stat status = {};
      if (::fstatat(store->fd.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
      for (std::string& lease : locks.leases_on(status)) holders[name].push_back(std::move(lease));
    }
  }
  return holders;
}

}  // namespace emud
