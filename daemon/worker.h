// Work that may block or be slow (hashing, files, probes) in a forked helper process, so that the
// event loop never waits for it.
#pragma once

#include <functional>
#include <string>

#include "daemon/async.h"

namespace emud {

// Runs `work` in a child process that ends with it; its text or Error comes back. Cancelling the
// coroutine kills the child. keep: a descriptor the work needs (all others but 0-2 are closed); -1:
// none. Name the Work before the call: GCC 12 destroys a closure made inside a co_await expression
// twice (GCC bug 99576).
using Work = std::function<Result<std::string>()>;
[[nodiscard]] Task<Result<std::string>> run_worker(Work work, int keep = -1);

}  // namespace emud
