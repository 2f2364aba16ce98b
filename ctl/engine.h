// Which engine a run goes to: emud's, or the one inside this process.
#pragma once

#include <optional>

#include "ctl/client.h"
#include "ctl/context.h"
#include "ctl/progress.h"
#include "ctl/run_session.h"

namespace emud::ctl {

struct EngineChoice {
  Endpoint endpoint;
  std::string scope;      // of the request: host needs emud
  bool rootless = false;  // asked for
};

// A client connected to emud, or none: rootless. Without being asked for, rootless is chosen only
// where nobody listens at the default path and the scope is not host; any other trouble with the
// socket is an error. invalid_argument for rootless with scope host.
[[nodiscard]] Result<std::optional<Client>> choose_engine(const EngineChoice& choice,
                                                          Verbosity verbosity);

// Starts the request in the engine that was chosen.
[[nodiscard]] Result<RunSession> start(std::optional<Client>& client, RunRequest request,
                                       const ProgressHandler& progress);

}  // namespace emud::ctl
