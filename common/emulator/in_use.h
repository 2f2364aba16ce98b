// Which entries of a store are in use by leases without emud: each holds a shared lock (flock(2))
// on the entry's directory as long as it lives, however it ends. emud's own leases hold none: emud
// counts them.
#pragma once

#include <sys/stat.h>

#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "emulator/store.h"

namespace emud {

// Marks the emulator's entry as in use until every copy of the descriptor is closed. A lock is all
// it takes, so that it works in a store that one may only read; where somebody else keeps it from
// being taken, nothing waits: the emulator is open already. not_found when the entry was removed
// before.
[[nodiscard]] Result<UniqueFd> hold_entry(const VerifiedEmulator& emulator);

// The shared locks on files that this machine's processes hold, as /proc/locks has them
// (proc_locks(5)).
class SharedLocks {
 public:
  // None where the file cannot be read.
  [[nodiscard]] static SharedLocks read();

  // The names of the leases that hold such a lock on that file: "lease rootless-1234", where the
  // process that took it is an emuctl.
  [[nodiscard]] std::vector<std::string> leases_on(const struct stat& file) const;

 private:
  struct Lock {
    std::string pid;
    unsigned major = 0, minor = 0;
    unsigned long inode = 0;
  };
  std::vector<Lock> locks_;
};

}  // namespace emud
