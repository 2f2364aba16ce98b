// io.emud.Manager.Acquire, Release, Cancel: host leases held by a connection, and ending leases.
#include <fmt/format.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <chrono>

#include "daemon/call.h"
#include "daemon/call_progress.h"
#include "daemon/keepers.h"
#include "daemon/options.h"
#include "daemon/request.h"

namespace emud {
namespace {

// The lease of that id if the caller may end it: its owner or root.
Result<std::shared_ptr<Lease>> find_own_lease(CallContext& context, const std::string& id,
                                              std::string_view action) {
  auto lease = context.services.leases.find(id);
  const uid_t uid = context.caller.peer().uid;
  if (lease) context.audit.about_lease(lease->record.id);
  if (lease && uid != 0 && lease->record.uid != uid) {
    return fail(Errc::permission_denied, action, fmt::format("lease {}", id),
                fmt::format("it belongs to user {}", lease->record.uid),
                "Only its owner and root may end it");
  }
  return lease;
}

// From its start, as the client wants and emud is configured; 0: for ever.
Result<std::uint64_t> time_limit(const Options& options, const wire::AcquireCall& request) {
  constexpr std::int64_t most = 1 << 30;
  const std::int64_t wanted = request.seconds.value_or(most);
  if (wanted < 1 || wanted > most) {
    return fail(Errc::invalid_argument, "acquire", "seconds",
                fmt::format("{} is not between 1 and {}", wanted, most),
                "Look at io.emud.Manager.Acquire in io.emud.Manager(7)");
  }
  LeaseLimits asked;
  if (request.seconds) asked.seconds = static_cast<std::uint64_t>(wanted);
  return stricter(options.lease_limits, asked).seconds;
}

void tell_time(wire::AcquireReply& reply, const LeaseRecord& record) {
  if (record.ends != 0) reply.seconds = seconds_left(record).count();
}

// A keeper has been told of the client, and looks after a command.
bool has_command(const Lease& lease) {
  return lease.record.keeper != 0 && lease.state == LeaseState::ready;
}

// Brings up what the lease is to hold, until somebody ends it.
Task<Result<void>> hold_all(CallContext& context, const wire::AcquireCall& request,
                            const std::vector<const Architecture*>& architectures, Lease& lease,
                            std::vector<std::string>& notes) {
  Services& services = context.services;
  const ReportListener listener = progress_listener<wire::AcquireReply>(context);
  auto ready = co_await services.emulators.prepare(architectures, request.emulator.value_or(""),
                                                   request.fetch.value_or(true), listener);
  services.store_changes.look();
  if (!ready) co_return ready;
  for (const Architecture* architecture : architectures) {
    wire::AcquireReply step;
    step.progress = wire::Progress{"bring up", std::string{architecture->name}, {}, {}};
    co_await context.progress(wire::to_json(step));
    auto held =
        co_await hold_for(services, lease, *architecture, request.emulator.value_or(""), notes);
    if (!held) co_return held;
  }
  co_return Result<void>{};
}

Task<Result<std::string>> acquire_new(CallContext& context, const wire::AcquireCall& request) {
  using asio::experimental::awaitable_operators::operator||;
  Services& services = context.services;
  const auto seconds = time_limit(services.options, request);
  if (!seconds) co_return std::unexpected(seconds.error());
  const auto architectures = co_await resolve_architectures(services, request.architectures);
  if (!architectures) co_return std::unexpected(architectures.error());

  LeaseRecord record;
  record.scope = "host";
  record.architectures = names_of(architectures->foreign);
  record.uid = context.caller.peer().uid;
  record.payer = context.caller.peer().payer;
  record.pid = context.caller.peer().pid;
  record.purpose = request.purpose.value_or("").substr(0, 200);
  record.started = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  if (*seconds > 0) record.ends = record.started + static_cast<std::int64_t>(*seconds);
  auto opened = services.leases.open(std::move(record));
  if (!opened) co_return std::unexpected(opened.error());
  LeaseGuard lease{services.leases, *std::move(opened)};
  context.audit.about_lease(lease->record.id);

  std::vector<std::string> notes;
  auto outcome = co_await (hold_all(context, request, architectures->foreign, *lease, notes) ||
                           lease->begins_to_end());
  if (lease->is_ending()) co_return was_ended(*lease);
  if (auto& held = std::get<0>(outcome); !held) co_return std::unexpected(std::move(held).error());
  wire::AcquireReply reply;
  reply.lease = lease->record.id;
  reply.native = architectures->native;
  reply.notes = std::move(notes);
  tell_time(reply, lease->record);
  const auto granted = lease.release();
  if (auto held = services.leases.attach_holder(granted, context.caller.peer()); !held) {
    [[maybe_unused]] const auto ended = co_await services.leases.end(granted);
    co_return std::unexpected(std::move(held).error());
  }
  context.connection.leases.emplace(reply.lease.value(), granted);
  co_return wire::to_json(reply);
}

}  // namespace

Task<Result<std::string>> acquire(CallContext& context) {
  const auto request = wire::from_json<wire::AcquireCall>(context.call.parameters);
  if (!request) co_return std::unexpected(request.error());
  if (!request->resume) co_return co_await acquire_new(context, *request);
  auto resumed = context.services.leases.resume(*request->resume, context.caller.peer());
  if (!resumed) co_return std::unexpected(std::move(resumed).error());
  wire::AcquireReply reply;
  reply.lease = (*resumed)->record.id;
  tell_time(reply, (*resumed)->record);
  context.connection.leases.emplace(reply.lease.value(), *std::move(resumed));
  co_return wire::to_json(reply);
}

// Releasing what is gone already has succeeded: the answer comes when nothing of the lease is left.
Task<Result<std::string>> release(CallContext& context) {
  const auto request = wire::from_json<wire::ReleaseCall>(context.call.parameters);
  if (!request) co_return std::unexpected(request.error());
  const auto lease = find_own_lease(context, request->lease, "release");
  if (!lease) co_return std::unexpected(lease.error());
  if (!*lease) co_return std::string{"{}"};
  context.connection.leases.erase(request->lease);
  Leases& leases = context.services.leases;
  // A command's lease ends with it: the keeper looks after that.
  if (!has_command(**lease)) leases.post_end(*lease);
  const auto ended = co_await leases.wait_ended(*lease);
  if (!ended) co_return std::unexpected(ended.error());
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
  Leases& leases = context.services.leases;
  if (has_command(**lease)) {
    leases.post_end_keeper(*lease);
  } else {
    leases.post_end(*lease);
  }
  const auto ended = co_await leases.wait_ended(*lease);
  if (!ended) co_return std::unexpected(ended.error());
  co_return std::string{"{}"};
}

}  // namespace emud
