#include "daemon/connections.h"

#include <sys/socket.h>

namespace emud {

Connections::Connections(const asio::any_io_executor& executor) : ended_(executor) {}

Connections::Guard::Guard(Connections& connections, int socket)
    : connections_(connections), socket_(socket) {
  connections_.sockets_.insert(socket_);
}

Connections::Guard::~Guard() {
  connections_.sockets_.erase(socket_);
  if (connections_.sockets_.empty()) connections_.ended_.notify();
}

Task<void> Connections::hang_up() {
  for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
  while (!sockets_.empty()) co_await ended_.wait();
}

}  // namespace emud
