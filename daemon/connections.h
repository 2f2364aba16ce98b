// The sockets of the clients being served, so that emud can hang up on all of them before it exits.
#pragma once

#include <set>

#include "daemon/async.h"

namespace emud {

class Connections {
 public:
  explicit Connections(const asio::any_io_executor& executor);

  // Counts a socket until it goes out of scope, which has to be before the socket is closed.
  class [[nodiscard]] Guard {
   public:
    Guard(Connections& connections, int socket);
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard();

   private:
    Connections& connections_;
    int socket_;
  };

  // Ends every session as if its client had hung up. Completes when the last has undone what it had
  // begun.
  [[nodiscard]] Task<void> hang_up();

 private:
  std::set<int> sockets_;
  AsyncEvent ended_;  // notified when the last session has ended
};

}  // namespace emud
