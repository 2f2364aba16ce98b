// io.emud.Manager.InstallEmulator and RemoveEmulator.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/call.h"
#include "daemon/services.h"
#include "daemon/worker.h"
#include "emulator/package.h"

namespace emud {

Task<Result<std::string>> install_emulator(CallContext& context) {
  const auto request = wire::from_json<wire::InstallEmulatorCall>(context.call.parameters);
  if (!request) co_return std::unexpected(request.error());
  if (context.caller.peer().uid != 0) {
    co_return fail(Errc::permission_denied, "install", request->name,
                   "a file of one's own choice is for root to install",
                   "Run it with sudo, or `emuctl emulator install --rootless` for your own store");
  }
  if (request->file < 0 || static_cast<std::size_t>(request->file) >= context.fds.size()) {
    co_return fail(Errc::invalid_argument, "install", "file",
                   "no such descriptor came with the call");
  }
  const auto digest = Digest::parse(request->digest);
  if (!digest) co_return std::unexpected(digest.error());
  const Architecture* wanted = nullptr;
  if (request->architecture) {
    const auto found = find_architecture(*request->architecture);
    if (!found) co_return std::unexpected(found.error());
    wanted = *found;
  }
  const int file = context.fds[static_cast<std::size_t>(request->file)].get();
  const Store& store = context.services.emulators.store();
  Work work = [&]() -> Result<std::string> {
    EMUD_ASSIGN(const auto manifests, install_file(store, file, request->name, *digest, wanted));
    wire::InstallEmulatorReply reply;
    reply.emulators.emplace();
    for (const auto& manifest : manifests) {
      reply.emulators->push_back({manifest.architecture, manifest.version, manifest.digest,
                                  manifest.source, manifest.installed});
    }
    return wire::to_json(reply);
  };
  co_return co_await run_worker(std::move(work), file);
}

Task<Result<std::string>> remove_emulator(CallContext& context) {
  Services& services = context.services;
  const auto request = wire::from_json<wire::RemoveEmulatorCall>(context.call.parameters);
  if (!request) co_return std::unexpected(request.error());
  const auto handlers = services.host.list();
  if (std::ranges::find(handlers, request->digest, &wire::Handler::digest) != handlers.end()) {
    co_return fail(Errc::busy, "remove emulator", request->digest,
                   "a handler of the host scope uses it",
                   "End its leases and `emuctl unregister` it first");
  }
  if (auto removed = services.emulators.store().remove(request->digest); !removed) {
    co_return std::unexpected(removed.error());
  }
  co_return std::string{"{}"};
}

}  // namespace emud
