#include "daemon/activity.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace emud {

Task<void> Activity::until_idle(std::function<bool()> is_needed, std::chrono::seconds limit) {
  for (;;) {
    timer_.expires_at(is_needed() ? asio::steady_timer::time_point::max()
                                  : asio::steady_timer::clock_type::now() + limit);
    boost::system::error_code interrupted;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, interrupted));
    if (!interrupted && !is_needed()) co_return;
  }
}

}  // namespace emud
