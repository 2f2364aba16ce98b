// A command's lease that is up: what the keeper's channel hangs on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ctl/client.h"
#include "ctl/run_request.h"
#include "sandbox/process.h"
#include "wire/channel.h"

namespace emud::ctl {

struct RunSession {
  std::optional<Channel> keeper;  // speaks io.emud.Keeper; none where nothing was to be run
  Child keeper_process;  // rootless: it is a child of this process; killed if it is not waited for
  // Rootless without a PID namespace: children this process had before. Any other is the lease's if
  // the keeper was killed.
  std::optional<std::vector<pid_t>> other_children = std::nullopt;
  // Rootless: the keeper's directories (KeeperPlan), removed here if it was killed.
  std::vector<std::string> temporaries = {};
  std::string lease, scope;
  std::vector<std::string> architectures;  // ready, by a handler
  std::vector<std::string> native;         // run by this CPU as they are
  std::vector<std::string> notes;          // for the user, one sentence each
};

// Asks emud for the lease. The descriptors of the request are gone afterwards: only the command has
// them.
[[nodiscard]] Result<RunSession> start_through_daemon(Client& client, RunRequest request,
                                                      const ProgressHandler& progress);

}  // namespace emud::ctl
