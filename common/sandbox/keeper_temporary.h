// The lease's own directory for temporary files of its command, at a path of the caller's choice:
// Nix that is killed leaves its own there, so the directory goes with the lease.
#pragma once

#include "sandbox/keeper.h"

namespace emud {

// Makes plan.temporary with the caller's rights and points TMPDIR to it. Where it cannot be made,
// TMPDIR stays as it was, and plan.temporary is empty afterwards.
void make_temporary(KeeperPlan& plan);

// Removes it with the caller's rights, as far as those and timeout_ms go.
void remove_temporary(const KeeperPlan& plan, int timeout_ms);

}  // namespace emud
