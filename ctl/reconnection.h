// Coming back to an emud that was restarted.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "ctl/client.h"

namespace emud::ctl {

// Attempts to connect again, to be made with a growing delay between them, as long as emud may be
// expected to come back.
class Reconnection {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Reconnection(std::string path, std::chrono::seconds patience = std::chrono::seconds{15})
      : path_(std::move(path)), deadline_(Clock::now() + patience) {}

  // none: not yet, try again after delay(). An Error: emud was stopped (there is no socket any
  // more), or the patience is at its end, or what listens there is not emud.
  [[nodiscard]] Result<std::optional<Client>> attempt();

  // Before the next attempt.
  [[nodiscard]] std::chrono::milliseconds delay() const { return delay_; }

  // For those who have nothing else to watch: attempts until one succeeds or there is no hope.
  [[nodiscard]] Result<Client> wait();

 private:
  std::string path_;
  Clock::time_point deadline_;
  std::chrono::milliseconds delay_{5};
};

// Gives a lease back. Answered when nothing of it is left, if need be by an emud that was restarted
// meanwhile.
[[nodiscard]] Result<> release_lease(Client& client, const std::string& path,
                                     const std::string& lease);

}  // namespace emud::ctl
