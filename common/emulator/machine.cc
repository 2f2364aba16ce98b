// Store: the emulators that the machine has already.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <optional>

#include "base/file.h"
#include "emulator/acquire.h"
#include "emulator/memory.h"
#include "emulator/store.h"
#include "emulator/store_entry.h"

namespace emud {
namespace {

// The manifest of that digest, if one of the stores has an entry of it.
std::optional<Manifest> installed(const Paths& paths, const std::string& digest) {
  for (const std::string& path : {paths.store(), paths.system_store}) {
    if (path.empty()) continue;
    const auto store = open_store(path);
    if (!store) continue;
    if (auto entry = open_entry(*store, digest)) return std::move(entry->manifest);
  }
  return std::nullopt;
}

Result<Manifest> adopt(const Store& store, const Paths& paths, const Architecture& architecture,
                       const UniqueFd& file, const std::string& path) {
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) return fail_errno("examine", path);
  const FileMemory memory = FileMemory::adopted(paths);
  const std::string name{architecture.name};
  if (const auto digest = memory.recall(name, status); digest && Digest::parse(*digest)) {
    if (auto manifest = installed(paths, *digest)) return *std::move(manifest);
  }
  EMUD_ASSIGN(auto manifest, store.install(file.get(), architecture, path));
  memory.remember(name, status, manifest.digest);
  return manifest;
}

}  // namespace

Result<Manifest> Store::adopt_machine_emulator(const Architecture& architecture) const {
  std::optional<Error> refusal;  // of the first that is there
  for (const std::string& path : machine_emulators(architecture, machine_bin_)) {
    const auto file = open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file && file.error().code == Errc::not_found) continue;
    if (!file) return std::unexpected(file.error());
    auto manifest = adopt(*this, paths_, architecture, *file, path);
    if (manifest || manifest.error().code != Errc::bad_emulator) return manifest;
    if (!refusal) refusal = std::move(manifest).error();
  }
  if (refusal) return std::unexpected(*std::move(refusal));
  return fail(Errc::not_found, "find",
              fmt::format("{}/qemu-{}-static", machine_bin_, architecture.name),
              "this machine has no emulator of its own for it",
              "Install the package qemu-user-static (on newer Debian: qemu-user), or give one with "
              "'emuctl emulator install --file PACKAGE.deb --sha256 HEX'");
}

}  // namespace emud
