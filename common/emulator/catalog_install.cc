#include "emulator/catalog_install.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>

#include "base/file.h"
#include "emulator/unfetched.h"
#include "emulator/unpack.h"

namespace emud {
namespace {

std::string name_of(const CatalogEntry& entry) {
  return fmt::format("{} {}", entry.member->architecture->name, entry.package->version);
}

// Held while a package is fetched and installed. The file stays: it is empty, and removing it would
// let two processes lock two files of one name.
Result<UniqueFd> lock_package(const Store& store, const CatalogPackage& package,
                              const InstallProgressSink& progress) {
  const std::string directory = store.paths().runtime + "/installs";
  EMUD_ASSIGN(const UniqueFd folder, make_directories(directory, 0755));
  EMUD_ASSIGN(UniqueFd lock,
              open_at(folder.get(), package.sha256, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK)
    return fail_errno("lock", fmt::format("{}/{}", directory, package.sha256));
  progress({.step = "wait for", .object = package.file});
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fail_errno("lock", fmt::format("{}/{}", directory, package.sha256));
  }
  return lock;
}

std::vector<CatalogEntry> missing_of(const Store& store, std::span<const CatalogEntry> entries,
                                     const CatalogPackage* package) {
  std::vector<CatalogEntry> missing;
  std::ranges::copy_if(entries, std::back_inserter(missing), [&](const CatalogEntry& entry) {
    return entry.package == package && !store.installed(entry.member->sha256);
  });
  return missing;
}

Result<> install_package(const Store& store, std::span<const CatalogEntry> entries,
                         const CatalogPackage& package, const FetchPackage& fetch,
                         const InstallProgressSink& progress) {
  if (missing_of(store, entries, &package).empty()) return {};
  EMUD_ASSIGN(const UniqueFd lock, lock_package(store, package, progress));
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
    EMUD_TRY(install_package(store, entries, *entry.package, fetch, progress));
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
