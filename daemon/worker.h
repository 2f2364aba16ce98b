// Work that may block or be slow (hashing, files, probes, downloads) in a forked helper process, so
// that the event loop never waits for it.
#pragma once

#include <functional>
#include <string>

#include "daemon/async.h"

namespace emud {

// Runs `work` in a child process that ends with it, and with this process; its text or Error comes
// back. Cancelling the coroutine kills the child. keep: a descriptor the work needs (all others but
// 0-2 are closed); -1: none. Name the Work before the call: GCC 12 destroys a closure made inside a
// co_await expression twice (GCC bug 99576).
using Work = std::function<Result<std::string>()>;
[[nodiscard]] Task<Result<std::string>> run_worker(Work work, int keep = -1);

// The same for work that tells how far it has come: each text it gives to its Report arrives, in
// order and before the result, at the listener, which is awaited; the work waits meanwhile once the
// socket between them is full. Not a capturing lambda coroutine: a closure that calls a coroutine.
using Report = std::function<void(std::string)>;
using ReportingWork = std::function<Result<std::string>(const Report&)>;
using ReportListener = std::function<Task<void>(std::string)>;
[[nodiscard]] Task<Result<std::string>> run_reporting_worker(ReportingWork work,
                                                             ReportListener listener,
                                                             int keep = -1);

}  // namespace emud
