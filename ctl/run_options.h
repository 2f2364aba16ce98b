// The options that `run` and `build` share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ctl/progress.h"

namespace CLI {
class App;
}

namespace emud::ctl {

struct RunOptions {
  std::vector<std::string> architectures;  // as they were typed
  std::string scope = "auto";
  std::string emulator;
  bool rootless = false;
  std::optional<int> json_events;
  bool nix = false, no_nix = false;
  bool terminal = false, no_terminal = false;
  bool quiet = false, verbose = false;

  [[nodiscard]] Verbosity verbosity() const;
};

// Declares -a, --scope, --emulator and --rootless, which `probe` has too.
void declare_engine_options(CLI::App& verb, RunOptions& options);

// Declares all of them.
void declare_run_options(CLI::App& verb, RunOptions& options);

}  // namespace emud::ctl
