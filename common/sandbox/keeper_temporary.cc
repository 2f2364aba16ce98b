#include "sandbox/keeper_temporary.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>
#include <functional>

#include "base/file.h"
#include "sandbox/environment.h"
#include "sandbox/keeper_setup.h"
#include "sandbox/nix_builds.h"
#include "sandbox/run_as.h"
#include "sandbox/temporary_sweep.h"

namespace emud {
namespace {

constexpr int make_limit_ms = 5000;
constexpr int attempts = 3;  // another lease may take it for an old one before it is held

bool make_directory(KeeperPlan& plan, const std::string& path, const std::function<bool()>& make) {
  for (int attempt = 0; attempt < attempts && !path.empty(); ++attempt) {
    if (!run_as(identity_within(plan), make_limit_ms, make)) return false;
    if (!plan.holds_temporaries) return true;
    auto held = hold_temporary(path);
    if (held) {
      plan.in_use.push_back(*std::move(held));
      return true;
    }
  }
  return false;
}

}  // namespace

void make_temporary(KeeperPlan& plan) {
  auto& environment = plan.command.environment;
  const auto make = [&plan] { return ::mkdir(plan.temporary.c_str(), 0700) == 0; };
  if (make_directory(plan, plan.temporary, make)) {
    set_variable(environment, "TMPDIR", plan.temporary);
  } else {
    plan.temporary.clear();
  }
  const auto make_builds = [&] {
    ::clearenv();
    for (std::string& entry : environment) ::putenv(entry.data());
    return !sets_build_dir(environment) && make_nix_builds(plan.builds, "nix").value_or(false);
  };
  if (make_directory(plan, plan.builds, make_builds)) {
    set_variable(
        environment, "NIX_CONFIG",
        fmt::format("build-dir = {}\n{}", plan.builds, variable(environment, "NIX_CONFIG")));
  } else {
    plan.builds.clear();
  }
}

void remove_temporary(const KeeperPlan& plan, int timeout_ms) {
  if (!has_temporary(plan)) return;
  const auto remove = [&plan] {
    for (const auto& path : {plan.temporary, plan.builds}) {
      if (!path.empty() && !remove_tree(AT_FDCWD, path)) return false;
    }
    return true;
  };
  // What cannot be removed is the caller's to look after: it is in his own folder.
  [[maybe_unused]] const bool removed = run_as(identity_within(plan), timeout_ms, remove);
}

}  // namespace emud
