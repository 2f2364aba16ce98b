// What a killed keeper or helper process leaves behind. emud is the child subreaper, so it all
// becomes emud's child; and as a keeper that lives ends and reaps what is below it, every child
// that emud did not start itself is such an orphan: it is ended at once.
//
// Not so where somebody else's processes may become emud's children: as PID 1 of a container, or
// when whoever executed emud left it children. There they are reaped only, and only cgroups end a
// lease whose keeper was killed.
#pragma once

#include <map>
#include <set>

#include "daemon/async.h"

namespace emud {

class Orphans {
 public:
  explicit Orphans(const asio::any_io_executor& executor);

  // Ends and reaps orphans whenever a child has ended, until cancelled.
  [[nodiscard]] Task<void> run();

  // One pass over emud's children: ends them. Whose an orphan is, is found out by what ended just
  // before it came: call this before a child that may leave some is reaped.
  void sweep();

  // Completes when that child of emud's has left no orphan, or at that time. Whether there is none.
  // Needs run() beside it.
  [[nodiscard]] Task<bool> wait_until_gone(pid_t parent, asio::steady_timer::time_point deadline);

 private:
  using Parents = std::set<pid_t>;  // those that may have left it; mostly one

  [[nodiscard]] bool has_orphans_of(pid_t parent) const;

  asio::any_io_executor executor_;
  bool are_all_ours_;
  std::map<pid_t, Parents> orphans_;  // killed, but not yet gone
  Parents reaped_lately_;             // of orphans that were reaped in the last pass
  AsyncEvent swept_;                  // notified after each pass
};

}  // namespace emud
