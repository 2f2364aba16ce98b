#include "ctl/reconnection.h"

#include <algorithm>
#include <cerrno>
#include <thread>

namespace emud::ctl {

// A socket file without a listener is what an emud leaves that was killed or will be followed by
// another; one that is stopped for good removes it.
Result<std::optional<Client>> Reconnection::attempt() {
  auto client = Client::connect(path_);
  if (client) return std::optional<Client>{*std::move(client)};
  const bool may_come_back =
      client.error().errno_value == ECONNREFUSED || client.error().code == Errc::timed_out;
  if (!may_come_back || Clock::now() >= deadline_)
    return std::unexpected(std::move(client).error());
  delay_ = std::min(2 * delay_, std::chrono::milliseconds{200});
  return std::optional<Client>{};
}

Result<Client> Reconnection::wait() {
  for (;;) {
    EMUD_ASSIGN(auto client, attempt());
    if (client) return *std::move(client);
    std::this_thread::sleep_for(delay_);
  }
}

Result<> release_lease(Client& client, const std::string& path, const std::string& lease) {
  const wire::ReleaseCall call{lease};
  auto released = ask<wire::Nothing>(client, "io.emud.Manager.Release", call);
  if (!released && released.error().code == Errc::disconnected) {
    EMUD_ASSIGN(Client next, Reconnection{path}.wait());
    released = ask<wire::Nothing>(next, "io.emud.Manager.Release", call);
  }
  if (!released) return std::unexpected(std::move(released).error());
  return {};
}

}  // namespace emud::ctl
