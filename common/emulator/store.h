// The emulators on this machine: <store>/<sha256>/qemu-<arch>, read-only, each with a manifest.json
// and, where one could be composed, the interpreter beside it. Only the store makes a
// VerifiedEmulator, and nothing is registered without one (invariant 1). All functions block: emud
// calls them in a process of their own.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arch/architecture.h"
#include "base/paths.h"
#include "base/unique_fd.h"
#include "emulator/digest.h"
#include "emulator/manifest.h"
#include "emulator/store_entry.h"

namespace emud {

// An emulator whose bytes were hashed and are what its manifest promises, as are those of what was
// composed from it. Holds the files open.
class VerifiedEmulator {
 public:
  [[nodiscard]] const Manifest& manifest() const { return entry_.manifest; }
  // The absolute path of what the kernel is to be told to run, and its open file.
  [[nodiscard]] const std::string& interpreter() const { return entry_.interpreter().path; }
  [[nodiscard]] int fd() const { return entry_.interpreter().file.fd.get(); }
  // The directory of the store that has it, which is locked while it is used (in_use.h).
  [[nodiscard]] std::string directory() const {
    return entry_.emulator.path.substr(0, entry_.emulator.path.rfind('/'));
  }

 private:
  friend class Store;
  friend class RememberedEmulator;  // of one that the store made
  explicit VerifiedEmulator(StoreEntry entry) : entry_(std::move(entry)) {}
  StoreEntry entry_;
};

// What verify() found out about one entry.
struct CheckedEmulator {
  std::string digest;  // the entry's name
  std::optional<Manifest> manifest;
  std::optional<Error> problem;  // none: it is good
  std::string moved_to;          // where it is now; empty for a good one
};

// Which temporaries are swept: those that no process uses, or all, waiting for processes that are
// about to end.
enum class Sweep { idle, all };

class Store {
 public:
  // Nothing is touched until it is used. What was verified is remembered in paths.runtime until
  // reboot. machine_bin is where the machine's own emulators are looked for.
  // A store is trusted only if it and all that is used of it belongs to root or to the current
  // effective user and nobody else may write it.
  explicit Store(Paths paths, std::string machine_bin = "/usr/bin")
      : paths_(std::move(paths)), machine_bin_(std::move(machine_bin)) {}

  // The manifests of all that is installed (the system's store included where there is one), by
  // architecture, the newest version first, among equals the latest installed. Broken entries are
  // left out. An absent store is an empty one.
  [[nodiscard]] Result<std::vector<Manifest>> list() const;

  // The emulator to use: the first of list() for the architecture, or the first whose version is
  // `version` or begins with it up to a dot ("7.2" finds 7.2.18). Hashes the file unless the very
  // same file (device, inode, size, mtime, ctime) was found good since boot.
  // not_found, with what is there and how to install as hint; digest_mismatch.
  [[nodiscard]] Result<VerifiedEmulator> find(const Architecture& architecture,
                                              std::string_view version = {}) const;

  // The emulator of that digest, hashed as find() does. not_found; digest_mismatch.
  [[nodiscard]] Result<VerifiedEmulator> get(std::string_view digest) const;

  // The manifest of that digest where it is installed and its bytes are as they should be.
  [[nodiscard]] std::optional<Manifest> installed(std::string_view digest) const;

  // Copies the bytes of `binary` (a regular file of at most 256 MiB) into the store: hashes what
  // was stored, not what was given; checks that it is a static executable for this machine and a
  // QEMU emulator of this architecture by running it as an unprivileged process (inspect.h), and
  // the interpreter that is composed from it in the same way: one that does not do is left out.
  // In one atomic step (rename(2)); an interrupted one leaves only a temporary that sweep()
  // removes. Installing what is there already, also at the same time, succeeds; a broken entry is
  // replaced. `source` and `package_digest` go into the manifest. `expected`, where not empty, is
  // what the binary must hash to, in hexadecimal: digest_mismatch. bad_emulator for any other file.
  [[nodiscard]] Result<Manifest> install(int binary, const Architecture& architecture,
                                         std::string_view source,
                                         std::string_view package_digest = {},
                                         std::string_view expected = {}) const;

  // Installs the machine's own static emulator (/usr/bin/qemu-<arch>-static, else
  // /usr/bin/qemu-<arch>) unless the same bytes are there. Repeating it costs a stat(2) as long as
  // the file does not change. not_found where the machine has none, bad_emulator where it is
  // dynamic.
  [[nodiscard]] Result<Manifest> adopt_machine_emulator(const Architecture& architecture) const;

  // Reads every emulator of this store again (the system's is not touched). What is not what its
  // manifest promises, or has no good manifest, is moved to paths.quarantine() in one step, so that
  // it is never used; the folder there is for its owner only. In the order of list(); those without
  // a manifest last. Fails when the store cannot be read or something cannot be moved.
  [[nodiscard]] Result<std::vector<CheckedEmulator>> verify() const;

  // Takes these out of this store (never out of the system's) by digest, broken or not: all of them
  // or none. Their files wait for sweep(). Nothing here is slow. invalid_argument for a text that
  // is no digest, not_found, busy while a lease without emud uses one (in_use.h); each names it.
  [[nodiscard]] Result<> take_out(std::span<const std::string> digests) const;

  // The same with all but these digests, the machine's own, which would only come back, and what
  // leases without emud use. Returns what was taken out.
  [[nodiscard]] Result<std::vector<Manifest>> take_out_all_but(
      std::span<const std::string> keep) const;

  // take_out() of one and sweep().
  [[nodiscard]] Result<> remove(std::string_view digest) const;

  // Removes the temporaries of interrupted installations and what was taken out, not the
  // temporaries of installations that run. An absent store is swept.
  [[nodiscard]] Result<> sweep(Sweep mode = Sweep::idle) const;

  // The leases without emud that use an emulator of a store, by digest.
  [[nodiscard]] std::map<std::string, std::vector<std::string>> holders() const;

  // An unnamed file, to be read and written, on the filesystem of the store. Makes the store.
  [[nodiscard]] Result<UniqueFd> make_temporary() const;

  [[nodiscard]] const Paths& paths() const { return paths_; }

 private:
  Paths paths_;
  std::string machine_bin_;
};

}  // namespace emud
