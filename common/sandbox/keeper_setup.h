// The keeper's bring-up: namespaces, handlers, probes, in that order, reporting each step.
#pragma once

#include <optional>

#include "binfmt/registry.h"
#include "sandbox/keeper.h"
#include "wire/channel.h"

namespace emud {

// Clones the process that is to run_keeper() with that plan, in the namespaces it can begin in; in
// it the result's pid is 0. report: this process's end of the plan's report channel. Where the
// keeper begins in a user namespace with the identity map, the maps are written and it is told so.
// The errors of clone3(2), with what to do about namespaces, and of map_identity.
[[nodiscard]] Result<Child> clone_keeper(const KeeperPlan& plan, int report);

// Brings the plan's private scope up in this process. The result holds the registry's directory
// open: the entries of a user namespace vanish with the last reference to its binfmt_misc
// (binfmt_misc.c, bm_put_super).
[[nodiscard]] Result<std::optional<Registry>> bring_up_private(KeeperPlan& plan, Channel& report);

// The plan's identity as it is within the keeper's namespaces.
[[nodiscard]] Identity identity_within(const KeeperPlan& plan);

// How the plan's command is started in there: rootless, in a second user namespace that has the
// caller's own ids.
[[nodiscard]] StartOptions start_options(const KeeperPlan& plan);

[[nodiscard]] bool is_rootless(KeeperMode mode);

// Tells the parent of a step.
[[nodiscard]] Result<> report_step(Channel& report, std::string_view step, std::string_view object);

}  // namespace emud
