// The emulators in the stores: whether they are what was installed.
#include <fmt/format.h>

#include <cerrno>

#include "base/file.h"
#include "ctl/doctor/checks.h"
#include "emulator/digest.h"
#include "emulator/store_entry.h"

namespace emud::ctl {
namespace {

bool is_own(const Machine& machine, const Paths& paths) {
  return paths.store() != machine.stores.front().store();
}

// A store of the caller's own stops nothing where emud answers: that has the system's.
Level level_for(const Machine& machine, const Paths& paths) {
  return is_own(machine, paths) && machine.daemon.status ? Level::warning : Level::error;
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
    findings.add("store-corrupt", level_for(machine, paths),
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
    const auto store = open_store(machine.root + paths.store());
    if (!store && store.error().code == Errc::not_found) continue;
    if (!store && is_own(machine, paths) && store.error().errno_value == EACCES) {
      findings.add("store-forbidden", level_for(machine, paths), store.error().message(),
                   fmt::format("export HOME=$(getent passwd {} | cut -d: -f6)\n"
                               "unset XDG_DATA_HOME",
                               machine.caller.name));
      continue;
    }
    if (!store) {
      findings.add(
          "store-untrusted", level_for(machine, paths), store.error().message(),
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

}  // namespace emud::ctl
