// The store as the daemon uses it: whatever may hash or read much happens in a helper process; what
// is known to be unchanged is answered at once.
#pragma once

#include <map>
#include <string>

#include "daemon/async.h"
#include "daemon/worker.h"
#include "emulator/store.h"

namespace emud {

class Emulators {
 public:
  explicit Emulators(Paths paths) : paths_(std::move(paths)), store_(paths_) {}

  // The emulator for an architecture, the machine's own one copied into the store first where it is
  // new. not_found with a hint.
  [[nodiscard]] Task<Result<VerifiedEmulator>> get(const Architecture& architecture,
                                                   std::string version);

  // What is installed.
  [[nodiscard]] Result<std::vector<Manifest>> list() const { return store_.list(); }
  [[nodiscard]] const Store& store() const { return store_; }

 private:
  // What the answer depends on: the store's directory and the machine's own binaries, by mtime and
  // inode.
  [[nodiscard]] std::string fingerprint(const Architecture& architecture) const;

  Paths paths_;
  Store store_;
  std::map<std::string, std::string, std::less<>>
      prepared_;  // architecture + version -> fingerprint
};

}  // namespace emud
