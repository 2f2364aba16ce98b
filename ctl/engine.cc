#include "ctl/engine.h"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "ctl/output.h"
#include "ctl/rootless.h"

namespace emud::ctl {

Result<std::optional<Client>> choose_engine(const EngineChoice& choice, Verbosity verbosity) {
  if (choice.rootless) {
    if (choice.scope != "host") return std::nullopt;
    return fail(Errc::invalid_argument, "combine", "--rootless with --scope host",
                "a host handler needs emud", "Leave out one of the two options");
  }
  auto client = Client::connect(choice.endpoint.path);
  if (client) return std::optional<Client>{*std::move(client)};
  const int reason = client.error().errno_value;
  const bool nobody_listens = reason == ENOENT || reason == ECONNREFUSED;
  if (!nobody_listens || choice.endpoint.is_explicit || choice.scope == "host") {
    return std::unexpected(std::move(client).error());
  }
  if (verbosity == Verbosity::verbose) {
    message(fmt::format("{}; going rootless", client.error().message()));
  }
  return std::nullopt;
}

Result<RunSession> start(std::optional<Client>& client, RunRequest request,
                         const ProgressHandler& progress) {
  if (!client) return start_rootless(request, progress);
  return start_through_daemon(*client, std::move(request), progress);
}

}  // namespace emud::ctl
