// io.emud.Manager.Register and Unregister: pins.
#include "daemon/call.h"
#include "daemon/call_progress.h"
#include "daemon/request.h"

namespace emud {

Task<Result<std::string>> register_handlers(CallContext& context) {
  Services& services = context.services;
  const auto request = wire::from_json<wire::RegisterCall>(context.call.parameters);
  if (!request) co_return std::unexpected(request.error());
  const auto architectures = co_await resolve_architectures(services, request->architectures);
  if (!architectures) co_return std::unexpected(architectures.error());
  wire::RegisterReply reply;
  reply.native = architectures->native;
  reply.handlers.emplace();
  reply.notes.emplace();
  const ReportListener listener = progress_listener<wire::RegisterReply>(context);
  const auto ready =
      co_await services.emulators.prepare(architectures->foreign, request->emulator.value_or(""),
                                          request->fetch.value_or(true), listener);
  services.store_changes.look();
  if (!ready) co_return std::unexpected(ready.error());
  for (const Architecture* architecture : architectures->foreign) {
    wire::RegisterReply step;
    step.progress = wire::Progress{"register", std::string{architecture->name}, {}, {}};
    co_await context.progress(wire::to_json(step));
    auto pinned = co_await services.host.pin(*architecture, request->emulator.value_or(""),
                                             request->persist.value_or(false));
    if (!pinned) co_return std::unexpected(pinned.error());
    const UsedEmulator used{pinned->version, pinned->digest};
    services.emulators.add_notes(*reply.notes, *architecture, used, request->emulator.value_or(""));
    reply.handlers->push_back(*std::move(pinned));
  }
  co_return wire::to_json(reply);
}

Task<Result<std::string>> unregister_handlers(CallContext& context) {
  Services& services = context.services;
  const auto request = wire::from_json<wire::UnregisterCall>(context.call.parameters);
  if (!request) co_return std::unexpected(request.error());
  std::vector<std::string> names = request->architectures;
  if (names.empty()) {
    if (!request->all.value_or(false)) {
      co_return fail(Errc::invalid_argument, "unregister", "architectures", "none is named",
                     "Name some, or --all");
    }
    names = services.host.pinned();
  }
  wire::UnregisterReply reply;
  for (const auto& name : names) {
    const auto architecture = find_architecture(name);
    if (!architecture) co_return std::unexpected(architecture.error());
    const auto gone = co_await services.host.unpin(**architecture);
    if (!gone) co_return std::unexpected(gone.error());
    (*gone ? reply.removed : reply.still_leased).emplace_back((*architecture)->name);
  }
  co_return wire::to_json(reply);
}

}  // namespace emud
