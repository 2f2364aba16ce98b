// io.emud.Manager.Acquire, Release, Cancel: host leases held by a connection, and ending leases.
#include <fmt/format.h>

#include <chrono>
#include <csignal>

#include "daemon/call.h"
#include "daemon/keepers.h"
#include "daemon/request.h"

namespace emud {
namespace {

// The lease of that id if the caller may end it: its owner or root.
Result<std::shared_ptr<Lease>> find_own_lease(CallContext& context, const std::string& id,
                                              std::string_view action) {
  auto lease = context.services.leases.find(id);
  const uid_t uid = context.caller.peer().uid;
  if (lease && uid != 0 && lease->record.uid != uid) {
    return fail(Errc::permission_denied, action, fmt::format("lease {}", id),
                fmt::format("it belongs to user {}", lease->record.uid),
                "Only its owner and root may end it");
  }
  return lease;
}

}  // namespace

Task<Result<std::string>> acquire(CallContext& context) {
  Services& services = context.services;
  const auto request = wire::from_json<wire::AcquireCall>(context.call.parameters);
  if (!request) co_return std::unexpected(request.error());
  const auto architectures = co_await resolve_architectures(services, request->architectures);
  if (!architectures) co_return std::unexpected(architectures.error());

  LeaseRecord record;
  record.scope = "host";
  record.architectures = names_of(architectures->foreign);
  record.uid = context.caller.peer().uid;
  record.pid = context.caller.peer().pid;
  record.purpose = request->purpose.value_or("").substr(0, 200);
  record.started = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  auto opened = services.leases.open(std::move(record));
  if (!opened) co_return std::unexpected(opened.error());
  LeaseGuard lease{services.leases, *std::move(opened)};

  for (const Architecture* architecture : architectures->foreign) {
    wire::AcquireReply step;
    step.progress = wire::Progress{"bring up", std::string{architecture->name}, {}, {}};
    co_await context.progress(wire::to_json(step));
    auto hold = co_await services.host.hold(*architecture, request->emulator.value_or(""));
    if (!hold) co_return std::unexpected(hold.error());
    lease->holds.push_back(*std::move(hold));
  }
  lease->state = LeaseState::ready;
  wire::AcquireReply reply;
  reply.lease = lease->record.id;
  reply.native = architectures->native;
  context.connection.leases.emplace(reply.lease.value(), lease.release());
  co_return wire::to_json(reply);
}

// Releasing what is gone already has succeeded: the answer comes when nothing of the lease is left.
Task<Result<std::string>> release(CallContext& context) {
  const auto request = wire::from_json<wire::ReleaseCall>(context.call.parameters);
  if (!request) co_return std::unexpected(request.error());
  const auto lease = find_own_lease(context, request->lease, "release");
  if (!lease) co_return std::unexpected(lease.error());
  context.connection.leases.erase(request->lease);
  if (!*lease) co_return std::string{"{}"};
  if ((*lease)->record.keeper == 0) {
    co_await context.services.leases.end(*lease);
  } else {
    co_await context.services.leases.wait_ended(
        *lease);  // it ends with its command, which the keeper looks after
  }
  co_return std::string{"{}"};
}

Task<Result<std::string>> cancel(CallContext& context) {
  const auto request = wire::from_json<wire::CancelCall>(context.call.parameters);
  if (!request) co_return std::unexpected(request.error());
  const auto lease = find_own_lease(context, request->lease, "cancel");
  if (!lease) co_return std::unexpected(lease.error());
  if (!*lease) {
    co_return fail(Errc::not_found, "cancel", fmt::format("lease {}", request->lease),
                   "there is no such lease", "`emuctl status` lists the leases");
  }
  if ((*lease)->keeper_pidfd) {
    end_keeper(**lease);
    co_await context.services.leases.wait_ended(*lease);
  } else {
    co_await context.services.leases.end(*lease);
  }
  co_return std::string{"{}"};
}

}  // namespace emud
