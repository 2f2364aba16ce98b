// When emud may end because nobody needs it: it was started by a connection to its socket, which
// systemd keeps, and the next connection starts it again.
#pragma once

#include <chrono>
#include <functional>

#include "daemon/async.h"

namespace emud {

class Activity {
 public:
  explicit Activity(const asio::any_io_executor& executor) : timer_(executor) {}

  // Whether emud is needed may have changed: a connection, a lease, a handler has come or gone.
  void changed() { timer_.cancel(); }

  // Completes when is_needed() has been false for that long and nothing has changed meanwhile.
  [[nodiscard]] Task<void> until_idle(std::function<bool()> is_needed, std::chrono::seconds limit);

 private:
  asio::steady_timer timer_;
};

}  // namespace emud
