// Runs the deep check's programs, each under a lease of its own, as any command is run.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ctl/client.h"
#include "ctl/deep/checks.h"

namespace emud::ctl {

inline constexpr int deep_time_limit = 30;  // seconds, for each check

struct DeepOptions {
  std::string architecture;  // canonical name
  std::string scope = "auto";
  std::string emulator;  // version; empty: the default
  int time_limit = deep_time_limit;
  std::vector<std::string> only{};  // ids of checks; empty: all
};

using DeepHandler = std::function<void(const DeepOutcome&)>;

// Runs the checks for an architecture, in an empty directory of their own below $TMPDIR (else /tmp)
// that is gone afterwards; tells on_outcome each as it ends. Without a client: rootless.
// not_supported, with what to do, where the programs were not built for the architecture; cancelled
// if a signal to emuctl ended a check. A program that fails is an outcome, not an error.
[[nodiscard]] Result<std::vector<DeepOutcome>> run_deep_checks(std::optional<Client>& client,
                                                               const DeepOptions& options,
                                                               const DeepHandler& on_outcome);

}  // namespace emud::ctl
