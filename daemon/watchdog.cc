#include "daemon/watchdog.h"

#include <systemd/sd-daemon.h>

#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>

namespace emud {

Task<void> feed_watchdog(asio::any_io_executor executor) {
  std::uint64_t limit = 0;  // microseconds
  if (::sd_watchdog_enabled(0, &limit) <= 0) co_return;
  asio::steady_timer timer{executor};
  for (;;) {
    ::sd_notify(0, "WATCHDOG=1");
    timer.expires_after(std::chrono::microseconds{limit / 2});
    co_await timer.async_wait(asio::use_awaitable);
  }
}

}  // namespace emud
