// The keeper's bring-up: namespaces, handlers, probes, in that order, reporting each step.
#pragma once

#include <optional>

#include "binfmt/registry.h"
#include "sandbox/keeper.h"
#include "wire/channel.h"

namespace emud {

// The clone3(2) flags a keeper of that mode is started with.
[[nodiscard]] std::uint64_t keeper_clone_flags(KeeperMode mode);

// Brings the plan's private scope up in this process. The result holds the registry's directory
// open: the entries of a user namespace vanish with the last reference to its binfmt_misc
// (binfmt_misc.c, bm_put_super).
[[nodiscard]] Result<std::optional<Registry>> bring_up_private(KeeperPlan& plan, Channel& report);

// The plan's identity as it is within the keeper's namespaces.
[[nodiscard]] Identity identity_within(const KeeperPlan& plan);

// Tells the parent of a step.
[[nodiscard]] Result<> report_step(Channel& report, std::string_view step, std::string_view object);

}  // namespace emud
