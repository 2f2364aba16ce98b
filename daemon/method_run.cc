// io.emud.Manager.Run: one command as the caller under a lease, from the request to the keeper's
// channel.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <set>

#include "base/log.h"
#include "daemon/call.h"
#include "daemon/call_progress.h"
#include "daemon/host_probe.h"
#include "daemon/keepers.h"
#include "daemon/request.h"
#include "sandbox/namespaces.h"
#include "wire/errors.h"
#include "wire/messages.h"

namespace emud {
namespace {

constexpr std::size_t purpose_limit = 200;

Failure wrong_parameter(std::string_view name, std::string_view reason) {
  return fail(Errc::invalid_argument, "run", name, reason,
              "Look at io.emud.Manager.Run in io.emud.Manager(7)");
}

// The descriptor of that index, which must have come with the call; each can be taken once.
Result<UniqueFd> take_fd(std::vector<UniqueFd>& fds, std::int64_t index, std::string_view name) {
  if (index < 0 || static_cast<std::size_t>(index) >= fds.size() ||
      !fds[static_cast<std::size_t>(index)]) {
    return wrong_parameter(
        name, fmt::format("no descriptor {} came with the call, or it was named twice", index));
  }
  return std::move(fds[static_cast<std::size_t>(index)]);
}

Result<UniqueFd> take_working_directory(std::vector<UniqueFd>& fds, std::int64_t index) {
  EMUD_ASSIGN(UniqueFd directory, take_fd(fds, index, "workingDirectory"));
  struct statx info{};
  // Not to be asked of a file system's server, who may be the caller: AT_STATX_DONT_SYNC.
  if (::statx(directory.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &info) != 0)
    return fail_errno("look at", "workingDirectory");
  if (!S_ISDIR(info.stx_mode)) {
    return wrong_parameter("workingDirectory", "the descriptor is not a directory");
  }
  return directory;
}

Result<Command> take_command(const wire::RunCall& request, std::vector<UniqueFd>& fds) {
  Command command;
  command.arguments = request.arguments;
  command.environment = request.environment;
  std::set<std::int64_t> numbers;
  for (const auto& [number, index] : request.descriptors) {
    if (number < 0 || number >= 65536 || !numbers.insert(number).second) {
      return wrong_parameter(
          "descriptors",
          fmt::format("{} is not a descriptor number, or stands there twice", number));
    }
    EMUD_ASSIGN(UniqueFd fd, take_fd(fds, index, "descriptors"));
    if (const int flags = ::fcntl(fd.get(), F_GETFL); number < 3 && (flags & O_PATH) != 0) {
      return wrong_parameter(
          "descriptors",
          fmt::format("descriptor {} can be neither read nor written (O_PATH)", number));
    }
    command.fds.push_back({static_cast<int>(number), std::move(fd)});
  }
  if (request.terminal) {
    if (!numbers.contains(*request.terminal))
      return wrong_parameter("terminal", "it is none of the descriptors");
    command.terminal = static_cast<int>(*request.terminal);
  }
  return command;
}

Result<std::uint64_t> take_limit(const std::optional<std::int64_t>& value, std::string_view name,
                                 std::int64_t most) {
  if (!value) return 0;
  if (*value < 1 || *value > most) {
    return wrong_parameter(fmt::format("limits.{}", name),
                           fmt::format("{} is not between 1 and {}", *value, most));
  }
  return static_cast<std::uint64_t>(*value);
}

Result<LeaseLimits> take_limits(const wire::Limits& wanted) {
  constexpr std::int64_t most = std::int64_t{1} << 50;
  LeaseLimits limits;
  EMUD_ASSIGN(limits.processes, take_limit(wanted.processes, "processes", 1 << 22));
  EMUD_ASSIGN(limits.memory, take_limit(wanted.memory, "memory", most));
  EMUD_ASSIGN(limits.cpu_weight, take_limit(wanted.cpu_weight, "cpuWeight", 10000));
  EMUD_ASSIGN(limits.seconds, take_limit(wanted.seconds, "seconds", 1 << 30));
  return limits;
}

std::string purpose_of(const wire::RunCall& request) {
  std::string purpose;
  for (const auto& argument : request.arguments) {
    if (!purpose.empty()) purpose += ' ';
    purpose += argument;
    if (purpose.size() > purpose_limit) return purpose.substr(0, purpose_limit) + "...";
  }
  return purpose.empty() ? "probe" : purpose;
}

Task<Result<KeeperMode>> decide_scope(const std::string& wanted, std::vector<std::string>& notes) {
  if (wanted == "host") co_return KeeperMode::host;
  if (wanted != "auto" && wanted != "private") {
    co_return wrong_parameter("scope", fmt::format("{} is none of auto, private, host", wanted));
  }
  const auto supported = co_await private_scope_support();
  if (supported) co_return KeeperMode::private_identity;
  if (wanted == "private") co_return std::unexpected(supported.error());
  notes.push_back(
      fmt::format("the host scope is used, since a private one is not to be had here: {}",
                  supported.error().message()));
  co_return KeeperMode::host;
}

// A probe has a time limit of its own (probe.h), which is shorter.
constexpr std::chrono::seconds step_limit{60};

// The keeper's next report, which must not keep anybody waiting for ever.
Task<Result<Frame>> next_report(AsyncChannel& channel, const Lease& lease) {
  using asio::experimental::awaitable_operators::operator||;
  asio::steady_timer timer{co_await asio::this_coro::executor, step_limit};
  auto outcome = co_await (channel.receive() || timer.async_wait(asio::use_awaitable));
  if (outcome.index() == 1) {
    co_return fail(Errc::timed_out, "bring up", name_of(lease.record),
                   fmt::format("its keeper has said nothing for {} s", step_limit.count()),
                   "A mount or a file system may hang: look at its stack in /proc, and `dmesg`");
  }
  auto& frame = std::get<0>(outcome);
  if (frame || frame.error().code != Errc::disconnected) co_return std::move(frame);
  co_return fail(Errc::internal, "bring up", name_of(lease.record), "its keeper died",
                 "Look at the log of emud");
}

// Relays what the keeper reports until it is ready.
Task<Result<void>> follow_bring_up(CallContext& context, StartedKeeper& keeper,
                                   const Lease& lease) {
  for (;;) {
    const auto frame = co_await next_report(*keeper.report, lease);
    if (!frame) co_return std::unexpected(frame.error());
    const auto reply = wire::parse_reply(frame->json);
    if (!reply) co_return std::unexpected(reply.error());
    if (!reply->error.empty()) {
      context.services.proofs.forget_all();  // a failed start puts every proof in doubt
      co_return std::unexpected(wire::error_of(*reply));
    }
    const auto message = wire::from_json<wire::RunReply>(reply->parameters);
    if (!message || !message->progress)
      co_return fail(Errc::protocol, "read", "the keeper's report");
    const auto& step = message->progress->step;
    if (step == keeper_step::ready) co_return Result<void>{};
    if (step == keeper_step::namespaces) {
      if (auto mapped = map_identity(lease.record.keeper); !mapped) co_return mapped;
      auto sent = co_await keeper.report->send(Frame{"{}"});
      // A keeper that is gone has said why.
      if (!sent && sent.error().code != Errc::disconnected) co_return sent;
      continue;
    }
    if (step == keeper_step::proven)
      keeper.remember(context.services.proofs, message->progress->object);
    co_await context.progress(reply->parameters);
  }
}

// From the emulators to a keeper that is ready, until somebody ends the lease. What failed or was
// cancelled is left to whoever ends the lease.
Task<Result<StartedKeeper>> bring_up(CallContext& context, const wire::RunCall& request,
                                     const std::vector<const Architecture*>& architectures,
                                     KeeperPlan& plan, Lease& lease,
                                     std::vector<std::string>& notes) {
  Services& services = context.services;
  const std::string version = request.emulator.value_or("");
  const ReportListener listener = progress_listener<wire::RunReply>(context);
  const auto ready = co_await services.emulators.prepare(architectures, version,
                                                         request.fetch.value_or(true), listener);
  services.store_changes.look();
  if (!ready) co_return std::unexpected(ready.error());
  for (const Architecture* architecture : architectures) {
    if (plan.mode == KeeperMode::host) {
      const auto held = co_await hold_for(services, lease, *architecture, version, notes);
      if (!held) co_return std::unexpected(held.error());
      continue;
    }
    auto emulator = co_await services.emulators.get(*architecture, version);
    if (!emulator) co_return std::unexpected(emulator.error());
    const UsedEmulator used{emulator->manifest().version, emulator->manifest().digest};
    services.emulators.add_notes(notes, *architecture, used, version);
    lease.record.emulators.push_back(used.digest);
    const bool proven = !request.fresh.value_or(false) &&
                        services.proofs.has(architecture->name, used.digest, "private");
    plan.handlers.push_back({architecture, *std::move(emulator), proven});
  }
  if (lease.is_ending()) co_return was_ended(lease);
  if (request.nix.value_or(false)) {
    const auto set_up = co_await set_up_nix(plan, lease, architectures, notes);
    if (!set_up) co_return std::unexpected(set_up.error());
    if (lease.is_ending()) co_return was_ended(lease);
  }
  auto keeper = start_keeper(services, lease, std::move(plan));
  if (!keeper) co_return std::unexpected(keeper.error());
  if (auto up = co_await follow_bring_up(context, *keeper, lease); !up)
    co_return std::unexpected(std::move(up).error());
  co_return keeper;
}

}  // namespace

Task<Result<std::string>> run(CallContext& context) {
  using asio::experimental::awaitable_operators::operator||;
  Services& services = context.services;
  auto request = wire::from_json<wire::RunCall>(context.call.parameters);
  if (!request) co_return std::unexpected(request.error());
  KeeperPlan plan;
  std::vector<std::string> notes;

  const auto mode = co_await decide_scope(request->scope.value_or("auto"), notes);
  if (!mode) co_return std::unexpected(mode.error());
  plan.mode = *mode;
  if (plan.mode == KeeperMode::host) {
    const auto allowed = co_await authorize(context.caller.peer(), Privilege::group,
                                            services.options, "a lease in the host scope");
    if (!allowed) co_return std::unexpected(allowed.error());
  }
  auto identity = read_identity(context.caller.peer(), static_cast<mode_t>(request->umask));
  if (!identity) co_return std::unexpected(identity.error());
  plan.identity = *std::move(identity);
  auto directory = take_working_directory(context.fds, request->working_directory);
  if (!directory) co_return std::unexpected(directory.error());
  plan.working_directory = *std::move(directory);
  auto command = take_command(*request, context.fds);
  if (!command) co_return std::unexpected(command.error());
  plan.command = *std::move(command);

  const auto limits = take_limits(request->limits.value_or(wire::Limits{}));
  if (!limits) co_return std::unexpected(limits.error());
  plan.limits = stricter(services.options.lease_limits, *limits);

  const auto architectures = co_await resolve_architectures(services, request->architectures);
  if (!architectures) co_return std::unexpected(architectures.error());

  LeaseRecord record;
  record.scope = plan.mode == KeeperMode::host ? "host" : "private";
  record.architectures = names_of(architectures->foreign);
  record.uid = context.caller.peer().uid;
  record.gid = context.caller.peer().gid;
  record.payer = context.caller.peer().payer;
  record.pid = context.caller.peer().pid;
  record.purpose = purpose_of(*request);
  record.started = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  record.limits = plan.limits;
  if (const auto seconds = plan.limits.seconds; seconds > 0)
    record.ends = record.started + static_cast<std::int64_t>(seconds);
  auto opened = services.leases.open(std::move(record));
  if (!opened) co_return std::unexpected(opened.error());
  LeaseGuard lease{services.leases, *std::move(opened)};
  context.audit.about_lease(lease->record.id);

  auto outcome =
      co_await (bring_up(context, *request, architectures->foreign, plan, *lease, notes) ||
                lease->begins_to_end());
  if (lease->is_ending()) co_return was_ended(*lease);
  auto& keeper = std::get<0>(outcome);
  if (!keeper) {
    [[maybe_unused]] const auto ended = co_await services.leases.end(lease.release());
    co_return std::unexpected(std::move(keeper).error());
  }
  services.leases.attach_keeper(lease.release());

  wire::RunReply reply;
  reply.lease = keeper->lease;
  reply.scope = keeper->scope;
  reply.architectures = names_of(architectures->foreign);
  reply.native = architectures->native;
  reply.notes = std::move(notes);
  reply.keeper = 0;
  context.reply_fds.push_back(std::move(keeper->client));
  co_return wire::to_json(reply);
}

}  // namespace emud
