// What a killed keeper or helper process leaves behind. emud is the child subreaper, so it all
// becomes emud's child; and as a keeper that lives ends and reaps what is below it, every child
// that emud did not start itself is such an orphan: it is ended at once.
//
// Not so where somebody else's processes may become emud's children: as PID 1 of a container, or
// when whoever executed emud left it children. There they are reaped only, and only cgroups end a
// lease whose keeper was killed.
#pragma once

#include <memory>

#include "daemon/async.h"

namespace emud {

class Orphans {
 public:
  explicit Orphans(const asio::any_io_executor& executor);

  // Ends and reaps orphans whenever a child has ended, until cancelled.
  [[nodiscard]] Task<void> run();

  // Completes when there is no orphan. Needs run() beside it.
  [[nodiscard]] Task<void> wait_until_gone();

 private:
  // One pass over emud's children. Whether an orphan is left: killed, but not yet gone.
  [[nodiscard]] bool sweep() const;

  asio::any_io_executor executor_;
  bool are_all_ours_;
  asio::steady_timer gone_;  // cancelled after each pass that finds none
};

}  // namespace emud
