// systemd's watchdog (sd_watchdog_enabled(3)).
#pragma once

#include "daemon/async.h"

namespace emud {

// Tells systemd twice in each WatchdogSec= that the event loop turns, until cancelled. Ends at once
// where no watchdog is configured.
[[nodiscard]] Task<void> feed_watchdog(asio::any_io_executor executor);

}  // namespace emud
