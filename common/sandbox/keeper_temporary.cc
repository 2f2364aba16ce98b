#include "sandbox/keeper_temporary.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "sandbox/environment.h"
#include "sandbox/keeper_setup.h"
#include "sandbox/run_as.h"

namespace emud {
namespace {

constexpr int make_limit_ms = 5000;

}  // namespace

void make_temporary(KeeperPlan& plan) {
  if (plan.temporary.empty()) return;
  const auto make = [&plan] { return ::mkdir(plan.temporary.c_str(), 0700) == 0; };
  if (run_as(identity_within(plan), make_limit_ms, make)) {
    set_variable(plan.command.environment, "TMPDIR", plan.temporary);
  } else {
    plan.temporary.clear();
  }
}

void remove_temporary(const KeeperPlan& plan, int timeout_ms) {
  if (plan.temporary.empty()) return;
  const auto remove = [&plan] { return remove_tree(AT_FDCWD, plan.temporary).has_value(); };
  // What cannot be removed is the caller's to look after: it is in his own folder.
  [[maybe_unused]] const bool removed = run_as(identity_within(plan), timeout_ms, remove);
}

}  // namespace emud
