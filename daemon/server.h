// Accepts connections and gives each a session, within the configured numbers.
#pragma once

#include <map>
#include <vector>

#include "daemon/async.h"

namespace emud {

struct Services;
struct Options;

struct Listener {
  UniqueFd socket;
  bool is_passed = false;  // by systemd, which keeps it
};

// The listening socket: the one systemd passed, else a new one at the path, mode 0666 (who may do
// what is decided by the peer's credentials), in place of a stale one. exists if somebody listens
// there.
[[nodiscard]] Result<Listener> make_listener(const Options& options, std::vector<UniqueFd> passed);

class Server {
 public:
  Server(Services& services, UniqueFd listener);

  // Until it is cancelled.
  [[nodiscard]] Task<void> run();
  void stop_listening() { listener_.reset(); }

  [[nodiscard]] bool is_serving() const { return connections_ > 0; }

 private:
  void accept_one();
  void refuse(UniqueFd socket, uid_t payer, const Error& error);

  Services& services_;
  UniqueFd listener_;
  UniqueFd spare_;  // given up to answer a connection when there is no other descriptor
  std::size_t connections_ = 0;
  std::map<uid_t, std::size_t> by_user_;  // by payer
};

}  // namespace emud
