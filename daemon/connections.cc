#include "daemon/connections.h"

#include <sys/socket.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace emud {

Connections::Connections(const asio::any_io_executor& executor)
    : ended_(executor, asio::steady_timer::time_point::max()) {}

Connections::Guard::Guard(Connections& connections, int socket)
    : connections_(connections), socket_(socket) {
  connections_.sockets_.insert(socket_);
}

Connections::Guard::~Guard() {
  connections_.sockets_.erase(socket_);
  if (connections_.sockets_.empty()) connections_.ended_.cancel();
}

Task<void> Connections::hang_up() {
  for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
  boost::system::error_code ignored;
  while (!sockets_.empty())
    co_await ended_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

}  // namespace emud
