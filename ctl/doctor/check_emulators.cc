// Emulators: those in the stores, and the machine's own.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>

#include "arch/elf.h"
#include "base/file.h"
#include "ctl/doctor/checks.h"
#include "emulator/acquire.h"
#include "emulator/digest.h"
#include "emulator/store_entry.h"
#include "sandbox/native.h"

namespace emud::ctl {
namespace {

constexpr std::size_t header_size = 65536;  // read_elf()

enum class Linking { none, dynamic, fixed };

Linking linking_of(const std::string& path) {
  const auto file = open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file) return Linking::none;
  std::string bytes(header_size, '\0');
  const ssize_t count = ::pread(file->get(), bytes.data(), bytes.size(), 0);
  if (count <= 0) return Linking::none;
  const auto summary =
      read_elf(std::as_bytes(std::span{bytes}).first(static_cast<std::size_t>(count)), path);
  if (!summary) return Linking::none;
  return summary->has_interpreter ? Linking::dynamic : Linking::fixed;
}

struct MachineEmulators {
  std::vector<std::string> dynamic;  // paths, of architectures that have no static one
  bool has_static = false;
};

MachineEmulators machine_emulators_of(const Machine& machine) {
  MachineEmulators found;
  for (const Architecture& architecture : architectures()) {
    if (architecture.name == host_architecture().name) continue;
    std::string dynamic;
    bool is_static = false;
    for (const auto& path : machine_emulators(architecture, machine.root + "/usr/bin")) {
      const Linking linking = linking_of(path);
      is_static = is_static || linking == Linking::fixed;
      if (linking == Linking::dynamic) dynamic = path.substr(machine.root.size());
    }
    found.has_static = found.has_static || is_static;
    if (!is_static && !dynamic.empty()) found.dynamic.push_back(dynamic);
  }
  return found;
}

// The store as doctor sees it: below the machine's root.
std::string store_of(const Machine& machine, const Paths& paths) {
  return machine.root + paths.store();
}

bool is_own(const Machine& machine, const Paths& paths) {
  return paths.store() != machine.stores.front().store();
}

void examine(const Machine& machine, const Paths& paths, const StoreDirectory& store,
             const std::string& digest, Findings& findings) {
  const std::string name = digest.substr(0, short_digest);
  const std::string sudo = is_own(machine, paths) ? "" : "sudo ";
  const auto entry = open_entry(store, digest);
  if (!entry) {
    findings.add("store-broken", Level::warning, entry.error().message(),
                 fmt::format("{}rm -r {}/{}", sudo, paths.store(), digest));
    return;
  }
  if (const auto sound = hash_entry(*entry); !sound) {
    findings.add("store-corrupt", Level::error,
                 fmt::format("QEMU {} for {}: {}", entry->manifest.version,
                             entry->manifest.architecture, sound.error().message()),
                 fmt::format("{0}emuctl emulator remove {1}{2}\n{0}emuctl emulator install {1}{3}",
                             sudo, is_own(machine, paths) ? "--rootless " : "", name,
                             entry->manifest.architecture));
  }
}

}  // namespace

void check_stores(const Machine& machine, Findings& findings) {
  for (const Paths& paths : machine.stores) {
    const auto store = open_store(store_of(machine, paths));
    if (!store && store.error().code == Errc::not_found) continue;
    if (!store) {
      findings.add(
          "store-untrusted", Level::error, store.error().message(),
          fmt::format("{0}chown -R {1}: {2}\n{0}chmod -R go-w {2}",
                      is_own(machine, paths) ? "" : "sudo ",
                      is_own(machine, paths) ? machine.caller.name : "root", paths.store()));
      continue;
    }
    const auto names = list_directory(store->fd.get(), ".");
    if (!names) continue;
    for (const auto& name : *names) {
      if (Digest::parse(name)) examine(machine, paths, *store, name, findings);
    }
  }
}

void check_emulators(const Machine& machine, Findings& findings) {
  const MachineEmulators own = machine_emulators_of(machine);
  if (!own.dynamic.empty()) {
    findings.add("emulator-dynamic", Level::warning,
                 fmt::format("dynamically linked: {}", fmt::join(own.dynamic, ", ")),
                 "sudo apt-get install --no-install-recommends qemu-user-static");
  }
  if (own.has_static) return;
  if (machine.daemon.status && !machine.daemon.status->emulators.empty()) return;
  for (const Paths& paths : machine.stores) {
    const auto store = open_store(store_of(machine, paths));
    if (!store) continue;
    const auto entries = open_entries(*store);
    if (entries && !entries->empty()) return;
  }
  findings.add("emulator-none", Level::error, "no emulator is installed",
               "sudo apt-get install --no-install-recommends qemu-user-static");
}

}  // namespace emud::ctl
