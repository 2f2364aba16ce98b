// What `emuctl probe` found, as text and as JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ctl/deep/checks.h"
#include "ctl/run_session.h"

namespace emud::ctl {

struct Probe {
  std::string architecture;
  Result<RunSession> outcome;  // of the bring-up: not_ready says what the probe program found
  // --deep, where the bring-up went well.
  std::optional<Result<std::vector<DeepOutcome>>> deep;
  bool is_named = true;  // by the user; else one of all that are installed

  [[nodiscard]] bool is_native() const;
  // Whether something does not work. A deep check that could not be done is no proof of that.
  [[nodiscard]] bool is_broken() const;
  // Whether a deep check was asked for by name and could not be done.
  [[nodiscard]] bool is_undecided() const;
};

// {"version":1,"probes":[...]} and a line break. A deep check adds "checks", a list of {check,
// result, detail, milliseconds}, or "deep_error".
[[nodiscard]] std::string probes_json(const std::vector<Probe>& probes);

[[nodiscard]] std::string probes_text(const std::vector<Probe>& probes, bool colour);

}  // namespace emud::ctl
