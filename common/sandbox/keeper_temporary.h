// The lease's own directories for temporary files of its command, at paths of the caller's choice:
// Nix that is killed leaves its own there, so they go with the lease.
#pragma once

#include "sandbox/keeper.h"

namespace emud {

// Makes plan.temporary and plan.builds with the caller's rights and points TMPDIR and Nix's
// build-dir to them. One that cannot be made, or a build-dir that the caller has set himself, stays
// as it was, and the plan's is empty afterwards.
void make_temporary(KeeperPlan& plan);

[[nodiscard]] inline bool has_temporary(const KeeperPlan& plan) {
  return !plan.temporary.empty() || !plan.builds.empty();
}

// Removes them with the caller's rights, as far as those and timeout_ms go.
void remove_temporary(const KeeperPlan& plan, int timeout_ms);

}  // namespace emud
