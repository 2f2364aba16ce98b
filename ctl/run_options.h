// The options that `run` and `build` share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ctl/progress.h"
#include "wire/messages.h"

namespace CLI {
class App;
}

namespace emud::ctl {

struct RunOptions {
  std::vector<std::string> architectures;  // as they were typed
  std::string scope = "auto";
  std::string emulator;
  bool no_fetch = false;
  bool rootless = false;
  std::optional<int> json_events;
  bool nix = false, no_nix = false;
  bool terminal = false, no_terminal = false;
  bool quiet = false, verbose = false;
  wire::Limits limits;

  [[nodiscard]] Verbosity verbosity() const;
};

// Declares --limit-seconds, of what `help` says.
void declare_time_option(CLI::App& verb, std::optional<std::int64_t>& seconds,
                         const std::string& help);

// Declares the --limit options.
void declare_limit_options(CLI::App& verb, wire::Limits& limits);

// Declares --emulator and --no-fetch, which all verbs that need an emulator have.
void declare_emulator_options(CLI::App& verb, std::string& version, bool& no_fetch);

// Declares --json-events.
void declare_events_option(CLI::App& verb, std::optional<int>& fd);

// Declares --scope, --emulator, --no-fetch and --rootless, which `probe` has too.
void declare_engine_options(CLI::App& verb, RunOptions& options);

// Declares all of them.
void declare_run_options(CLI::App& verb, RunOptions& options);

}  // namespace emud::ctl
