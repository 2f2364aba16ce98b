// The engine inside emuctl's own process: unprivileged user namespaces, the caller's own store.
#pragma once

#include "base/result.h"
#include "ctl/run_session.h"

namespace emud::ctl {

// Brings up a private lease without emud. The command will be in the caller's session and process
// group and uses his terminal directly; call.scope must not be "host". The request's descriptors
// stay the caller's.
[[nodiscard]] Result<RunSession> start_rootless(const RunRequest& request,
                                                const ProgressHandler& progress);

}  // namespace emud::ctl
