// Accepts connections and gives each a session, within the configured numbers.
#pragma once

#include <map>

#include "daemon/async.h"

namespace emud {

struct Services;
struct Options;

// The listening socket: the one systemd passed (sd_listen_fds(3)), else a new one at the path, mode
// 0666 (who may do what is decided by the peer's credentials), in place of a stale one. exists if
// somebody listens there.
[[nodiscard]] Result<UniqueFd> make_listener(const Options& options);

class Server {
 public:
  Server(Services& services, UniqueFd listener);

  // Until it is cancelled.
  [[nodiscard]] Task<void> run();

 private:
  void accept_one();

  Services& services_;
  UniqueFd listener_;
  UniqueFd spare_;  // given up to answer a connection when there is no other descriptor
  std::size_t connections_ = 0;
  std::map<uid_t, std::size_t> by_user_;
};

}  // namespace emud
