// Emulators: whether a build can have one, and what the catalog says of it.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <span>

#include "arch/elf.h"
#include "base/file.h"
#include "ctl/doctor/checks.h"
#include "ctl/doctor/mends.h"
#include "emulator/acquire.h"
#include "emulator/choose.h"
#include "emulator/store_entry.h"
#include "wire/emulators.h"

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

// What emud has where it answers, else what the stores have.
std::vector<Manifest> installed_on(const Machine& machine) {
  std::vector<Manifest> installed;
  if (machine.daemon.status) {
    for (const auto& emulator : machine.daemon.status->emulators)
      installed.push_back(wire::as_manifest(emulator));
    return installed;
  }
  for (const Paths& paths : machine.stores) {
    const auto store = open_store(machine.root + paths.store());
    const auto entries = store ? open_entries(*store) : std::vector<StoreEntry>{};
    if (!entries) continue;
    for (const StoreEntry& entry : *entries) installed.push_back(entry.manifest);
  }
  return installed;
}

// For each architecture, of the installed one that a build gets where nothing is fetched.
void add_notes(const Machine& machine, const std::vector<Manifest>& installed, Findings& findings) {
  std::vector<std::string> warnings;
  std::vector<std::string_view> concerned;
  Level level = Level::note;
  for (const Architecture& architecture : architectures()) {
    const auto chosen = choose_installed(installed, machine.catalog, architecture, {});
    if (!chosen) continue;
    auto found = machine.catalog.warnings_about(architecture, chosen->version);
    if (found.empty()) continue;
    std::ranges::move(found, std::back_inserter(warnings));
    concerned.push_back(architecture.name);
    if (machine.catalog.soundness(architecture, chosen->version) == Soundness::broken)
      level = Level::warning;
  }
  if (warnings.empty()) return;
  findings.add("emulator-note", level, fmt::format("{}", fmt::join(warnings, "; ")),
               fetch_emulator(machine, fmt::format("{}", fmt::join(concerned, " "))));
}

std::string mend_of(const Error& error) {
  // The object names the file, and then the key.
  const std::string file = error.object.substr(0, error.object.find(".json")) + ".json";
  if (error.code == Errc::permission_denied)
    return fmt::format("sudo chown root:root {0}\nsudo chmod 0644 {0}", file);
  return fmt::format("sudo mv {0} {0}.off", file);
}

}  // namespace

void check_emulators(const Machine& machine, Findings& findings) {
  if (machine.catalog_failure) {
    findings.add("catalog-broken", machine.daemon.status ? Level::warning : Level::error,
                 machine.catalog_failure->message(), mend_of(*machine.catalog_failure));
  }
  const MachineEmulators own = machine_emulators_of(machine);
  const bool may_fetch = machine.may_fetch();
  if (!own.dynamic.empty()) {
    findings.add("emulator-dynamic", may_fetch ? Level::note : Level::warning,
                 fmt::format("dynamically linked: {}", fmt::join(own.dynamic, ", ")),
                 install_static_qemu(machine));
  }
  const auto installed = installed_on(machine);
  add_notes(machine, installed, findings);
  if (!own.has_static && installed.empty()) {
    findings.add("emulator-none", may_fetch ? Level::note : Level::error,
                 "no emulator is installed",
                 may_fetch ? fetch_emulator(machine, some_foreign_architecture())
                           : install_static_qemu(machine));
  }
}

}  // namespace emud::ctl
