// Sees changes of the host's binfmt_misc made by anybody.
#pragma once

#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace emud {

// What inotify(7) says, tested on Linux 6.18: a registration is IN_MODIFY on `register`; switching
// an entry or the whole off and on is IN_MODIFY on the entry or on `status`; a removal is IN_MODIFY
// on what was written to, and since Linux 6.7 also IN_DELETE of each entry. So whatever the kernel,
// each change gives an event; which one it was is for the reader to look up.
class HostWatch {
 public:
  // Watches nothing yet.
  [[nodiscard]] static Result<HostWatch> create();

  // Begins to watch the instance mounted at /proc/sys/fs/binfmt_misc, in place of an earlier one.
  // Holds no mount: it can be unmounted, which is a change. not_found where none is mounted.
  [[nodiscard]] Result<> begin();
  void end();

  // Readable when something has changed since the last take().
  [[nodiscard]] int fd() const { return inotify_.get(); }

  // Reads away what has come. False: nothing that counts. What is no longer mounted is no longer
  // watched.
  bool take();
  [[nodiscard]] bool is_watching() const { return watch_ >= 0; }

 private:
  explicit HostWatch(UniqueFd inotify) : inotify_(std::move(inotify)) {}
  UniqueFd inotify_;
  int watch_ = -1;
};

}  // namespace emud
