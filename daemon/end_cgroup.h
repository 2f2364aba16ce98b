// Ending every process of a cgroup without waiting in the event loop.
#pragma once

#include <string>

#include "daemon/async.h"

namespace emud {

// Kills what is in the cgroup of that path and below, until it is empty, and removes it; at most
// until that time (timed_out, naming the processes that do not end). One that is gone is success.
[[nodiscard]] Task<Result<void>> end_cgroup(std::string path,
                                            asio::steady_timer::time_point deadline);

}  // namespace emud
