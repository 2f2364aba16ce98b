#include "daemon/keepers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "base/log.h"
#include "daemon/lease_cgroups.h"
#include "daemon/users.h"
#include "sandbox/keeper_setup.h"
#include "sandbox/nix_builds.h"
#include "wire/errors.h"

namespace emud {

namespace {

// What a keeper that has failed already has said. It says so before it removes the lease's
// directory, for want of which something else fails then.
std::optional<Error> failure_in(Channel& reports) {
  (void)reports.fill();  // its end shows when there is nothing to take
  while (const auto frame = reports.take()) {
    const auto reply = wire::parse_reply(frame->json);
    if (reply && !reply->error.empty()) return wire::error_of(*reply);
  }
  return std::nullopt;
}

}  // namespace

LeaseGuard::~LeaseGuard() {
  if (lease_) leases_.post_end(std::move(lease_));
}

void StartedKeeper::remember(const Proofs& proofs, const std::string& architecture) const {
  const auto found = digests.find(architecture);
  if (found != digests.end()) proofs.remember(architecture, found->second, "private");
}

Result<StartedKeeper> start_keeper(Services& services, Lease& lease, KeeperPlan plan) {
  StartedKeeper started;
  started.lease = plan.lease = lease.record.id;
  started.scope = lease.record.scope;
  plan.directory = lease.directory;
  plan.grace = services.options.kill_after();
  for (const auto& handler : plan.handlers) {
    started.digests.emplace(handler.architecture->name, handler.emulator.manifest().digest);
  }
  if (!lease.record.cgroup.empty()) {
    EMUD_ASSIGN(plan.cgroup, create_lease_cgroup(lease.record.cgroup));
    EMUD_ASSIGN(plan.limits, limit_cgroup(*plan.cgroup, plan.limits));
  }
  EMUD_ASSIGN(SocketPair report, make_socket_pair());
  EMUD_ASSIGN(SocketPair channel, make_socket_pair());
  EMUD_ASSIGN(lease.keeper, clone_keeper(plan, report.first.get()));
  if (!lease.keeper) {
    plan.report = std::move(report.second);
    plan.channel = std::move(channel.second);
    run_keeper(std::move(plan));
  }
  lease.record.keeper = lease.keeper.pid();
  EMUD_ASSIGN(lease.record.keeper_start, process_start_time(lease.keeper.pid()));
  Channel reports{std::move(report.first)};
  if (const auto saved = services.leases.save(lease); !saved) {
    return std::unexpected(failure_in(reports).value_or(saved.error()));
  }
  started.report = std::make_unique<AsyncChannel>(services.executor, std::move(reports));
  started.client = std::move(channel.first);
  return started;
}

Task<Result<void>> set_up_nix(KeeperPlan& plan, Lease& lease,
                              const std::vector<const Architecture*>& architectures,
                              std::vector<std::string>& notes) {
  auto& environment = plan.command.environment;
  const auto own = fmt::format("emud-command-{}", lease.record.id);
  plan.temporary = nix_temporary(environment, own);
  if (!plan.temporary.empty()) lease.record.command_temporaries = {plan.temporary};
  const std::string systems = nix_systems(architectures);
  if (systems.empty()) co_return Result<void>{};
  const bool is_private = plan.mode != KeeperMode::host;
  const bool in_machine_store = uses_machine_store(environment);
  plan.builds_in_nix_store = is_private && in_machine_store;
  if (!in_machine_store || owns_nix_store(plan.identity.uid)) {
    // In the host scope the machine's nix-daemon sees the handler too.
    set_nix_environment(environment, is_private ? NixSetup::caller_store : NixSetup::named_store,
                        systems, {});
    plan.builds = nix_builds(environment, own);
    if (!plan.builds.empty()) lease.record.command_temporaries.push_back(plan.builds);
    co_return Result<void>{};
  }
  if (!is_private) {
    const auto missing = missing_nix_settings(architectures);
    if (!missing.empty()) {
      notes.push_back(fmt::format(
          "the machine's nix-daemon will refuse to build for {}: add the line `{}` to {} and "
          "restart it, or use --scope private, which needs no change",
          systems, fmt::join(missing, "`, `"), system_nix_conf));
    }
    co_return Result<void>{};
  }
  auto owner = co_await user_name(plan.identity.uid);
  if (!owner) co_return std::unexpected(std::move(owner).error());
  const std::string builders = fmt::format("emud-lease-{}", lease.record.id);
  const char* folder = std::getenv("TMPDIR");
  plan.nix_daemon =
      NixDaemonPlan{.directory = lease.directory,
                    .temporary = fmt::format("{}/{}", folder ? folder : "/tmp", builders),
                    .builds = nix_builds({}, builders),
                    .systems = systems,
                    .owner = *std::move(owner)};
  lease.record.temporaries = {plan.nix_daemon->temporary, plan.nix_daemon->builds};
  set_nix_remote(environment, *plan.nix_daemon);
  co_return Result<void>{};
}

}  // namespace emud
