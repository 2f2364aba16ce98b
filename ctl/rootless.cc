#include "ctl/rootless.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <random>

#include "base/paths.h"
#include "emulator/acquire.h"
#include "emulator/catalog_fetch.h"
#include "emulator/in_use.h"
#include "emulator/settled.h"
#include "emulator/wanted.h"
#include "sandbox/descendants.h"
#include "sandbox/keeper.h"
#include "sandbox/keeper_setup.h"
#include "sandbox/namespaces.h"
#include "sandbox/native.h"
#include "sandbox/nix_builds.h"
#include "sandbox/proofs.h"
#include "sandbox/temporary_sweep.h"
#include "wire/emulators.h"
#include "wire/errors.h"

namespace emud::ctl {
namespace {

// This process's own identity, as far as it cannot be inherited by the command.
Identity own_identity(const wire::RunCall& call) {
  Identity identity;
  identity.uid = ::getuid();
  identity.gid = ::getgid();
  identity.keep_groups = true;
  identity.umask = static_cast<mode_t>(call.umask);
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action{};
    if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
      identity.ignored_signals |= 1ULL << (number - 1);
    }
  }
  return identity;
}

// Copies of the request's descriptors: the keeper's process owns them, this one keeps its own.
Result<Command> command_of(const RunRequest& request) {
  Command command{.arguments = request.call.arguments,
                  .environment = request.call.environment,
                  .fds = {},
                  .terminal = {}};
  for (const auto& [number, index] : request.call.descriptors) {
    EMUD_ASSIGN(UniqueFd copy, request.fds.at(static_cast<std::size_t>(index)).duplicate());
    command.fds.push_back({static_cast<int>(number), std::move(copy)});
  }
  if (request.call.terminal) command.terminal = static_cast<int>(*request.call.terminal);
  return command;
}

// No cgroup here: all but the seconds are limits of each process.
LeaseLimits limits_of(const wire::Limits& wanted) {
  const auto number = [](const std::optional<std::int64_t>& value) {
    return static_cast<std::uint64_t>(value.value_or(0));
  };
  return {.processes = number(wanted.processes),
          .memory = number(wanted.memory),
          .cpu_weight = number(wanted.cpu_weight),
          .seconds = number(wanted.seconds)};
}

// A PID namespace ends everything with its first process. Where the store is the machine's, its
// garbage-collector roots are named by pid and other builds share it: there processes are followed
// instead.
KeeperMode mode_for(bool with_pid) {
  if (::geteuid() == 0)
    return with_pid ? KeeperMode::private_identity_with_pid : KeeperMode::private_identity;
  return with_pid ? KeeperMode::private_rootless : KeeperMode::private_rootless_without_pid;
}

Result<Architectures> resolve(const Store& store, const std::vector<std::string>& names) {
  EMUD_ASSIGN(const auto wanted, wanted_architectures(store, names));
  Architectures result;
  for (const Architecture* architecture : wanted) {
    if (runs_natively(*architecture)) {
      result.native.emplace_back(architecture->name);
    } else {
      result.foreign.push_back(architecture);
    }
  }
  return result;
}

// A plan, and what its user should know.
struct Planned {
  KeeperPlan plan;
  std::vector<std::string> notes;
};

// An emulator that was chosen, and what its user should know.
struct Chosen {
  VerifiedEmulator emulator;
  std::vector<std::string> notes;
};

struct Engine {
  const RunRequest& request;
  const ProgressHandler& progress;
  Paths paths;
  Store store;
  Proofs proofs;
  Architectures architectures;

  [[nodiscard]] Result<std::vector<Chosen>> choose() const;
  [[nodiscard]] Result<std::vector<SettledChoice>> acquire(const std::string& version,
                                                           const SettledChoices& settled) const;
  [[nodiscard]] Result<std::vector<Chosen>> get(std::vector<SettledChoice> choices) const;
  [[nodiscard]] Result<Planned> plan(KeeperMode mode) const;
  [[nodiscard]] Result<RunSession> start(KeeperMode mode) const;
  [[nodiscard]] Result<> follow(Channel report, const Child& keeper, const KeeperPlan& plan) const;
};

// An emulator for each of the foreign architectures, in their order.
Result<std::vector<Chosen>> Engine::choose() const {
  if (architectures.foreign.empty()) return {};
  const std::string version = request.call.emulator.value_or("");
  const SettledChoices settled{paths, architectures.foreign, version};
  if (auto known = settled.recall()) {
    if (auto chosen = get(*std::move(known))) return chosen;
  }
  EMUD_ASSIGN(auto choices, acquire(version, settled));
  return get(std::move(choices));
}

Result<std::vector<Chosen>> Engine::get(std::vector<SettledChoice> choices) const {
  std::vector<Chosen> chosen;
  for (SettledChoice& choice : choices) {
    EMUD_ASSIGN(VerifiedEmulator emulator, store.get(choice.digest));
    chosen.push_back({std::move(emulator), std::move(choice.notes)});
  }
  return chosen;
}

// What they are to be, looked for in the stores and the catalog.
Result<std::vector<SettledChoice>> Engine::acquire(const std::string& version,
                                                   const SettledChoices& settled) const {
  (void)store.sweep();  // what cannot be removed disturbs nobody
  EMUD_ASSIGN(const Catalog catalog, Catalog::load(paths));
  Acquisition acquisition{
      .store = store, .catalog = catalog, .wish = {.version = version, .configured = {}}};
  if (request.call.fetch.value_or(true)) {
    FetchOptions fetching = own_fetch_options();
    acquisition.fetch = package_fetcher(store, fetching);
    fetching.is_optional = true;
    acquisition.fetch_better = package_fetcher(store, std::move(fetching));
  }
  acquisition.progress = [&](const InstallProgress& step) { progress(wire::as_message(step)); };
  EMUD_ASSIGN(const auto emulators, acquire_emulators(acquisition, architectures.foreign));
  std::vector<SettledChoice> choices;
  for (std::size_t i = 0; i < emulators.size(); ++i) {
    const Acquired& emulator = emulators[i];
    const Architecture& architecture = *architectures.foreign[i];
    SettledChoice choice{.digest = emulator.manifest.digest,
                         .notes = catalog.warnings_about(architecture, emulator.manifest.version)};
    if (!emulator.note.empty()) {
      choice.notes.push_back(emulator.note);
    } else if (!emulator.may_be_bettered) {
      settled.remember(i, choice);
    }
    choices.push_back(std::move(choice));
  }
  return choices;
}

Result<Planned> Engine::plan(KeeperMode mode) const {
  Planned planned;
  KeeperPlan& plan = planned.plan;
  plan.lease = fmt::format("rootless-{}", ::getpid());
  plan.mode = mode;
  plan.identity = own_identity(request.call);
  EMUD_ASSIGN(plan.command, command_of(request));
  plan.limits = limits_of(request.call.limits.value_or(wire::Limits{}));
  EMUD_ASSIGN(auto chosen, choose());
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const Architecture* architecture = architectures.foreign[i];
    std::ranges::move(chosen[i].notes, std::back_inserter(planned.notes));
    VerifiedEmulator emulator = std::move(chosen[i].emulator);
    EMUD_ASSIGN(UniqueFd in_use, hold_entry(emulator));
    plan.in_use.push_back(std::move(in_use));
    const bool proven = !request.call.fresh.value_or(false) &&
                        proofs.has(architecture->name, emulator.manifest().digest, "rootless");
    plan.handlers.push_back({architecture, std::move(emulator), proven});
  }
  if (!request.call.nix.value_or(false)) return planned;
  const auto own = fmt::format("{}{}-{:08x}", rootless_prefix, ::getpid(), std::random_device{}());
  plan.temporary = nix_temporary(plan.command.environment, own);
  plan.holds_temporaries = true;
  if (const auto systems = nix_systems(architectures.foreign); !systems.empty()) {
    const bool owns_store = owns_nix_store(plan.identity.uid);
    plan.builds_in_nix_store = owns_store && mode == KeeperMode::private_identity;
    if (owns_store && !plan.builds_in_nix_store && is_nix_store_read_only()) {
      planned.notes.emplace_back(
          "/nix/store is mounted read-only, which only root can change: without --rootless, emud "
          "does");
    }
    set_nix_environment(plan.command.environment,
                        owns_store ? NixSetup::caller_store : NixSetup::own_store, systems,
                        paths.nix_store());
    plan.builds = nix_builds(plan.command.environment, own);
  }
  // What a lease before left whose emuctl and keeper were killed together.
  for (const auto& path : {plan.temporary, plan.builds}) {
    if (!path.empty()) sweep_temporaries(path.substr(0, path.rfind('/')), rootless_prefix);
  }
  return planned;
}

Result<RunSession> Engine::start(KeeperMode mode) const {
  EMUD_ASSIGN(Planned planned, plan(mode));
  KeeperPlan& made = planned.plan;
  EMUD_ASSIGN(SocketPair report, make_socket_pair());
  EMUD_ASSIGN(SocketPair channel, make_socket_pair());
  std::optional<std::vector<pid_t>> other_children;
  if (mode != mode_for(true)) {
    other_children = children_of(::getpid());
    EMUD_TRY(become_subreaper());
  }
  EMUD_ASSIGN(Child keeper, clone_keeper(made, report.first.get()));
  if (!keeper) {
    made.report = std::move(report.second);
    made.channel = std::move(channel.second);
    run_keeper(std::move(made));
  }
  report.second.reset();
  channel.second.reset();
  EMUD_TRY(follow(Channel{std::move(report.first)}, keeper, made));
  RunSession session;
  session.lease = made.lease;
  for (auto* temporary : {&made.temporary, &made.builds}) {
    if (!temporary->empty()) session.temporaries.push_back(std::move(*temporary));
  }
  session.scope = "private";
  session.architectures = names_of(architectures.foreign);
  session.native = architectures.native;
  session.notes = std::move(planned.notes);
  session.keeper.emplace(std::move(channel.first));
  session.keeper_process = std::move(keeper);
  session.other_children = std::move(other_children);
  return session;
}

// What the keeper reports until it is ready.
Result<> Engine::follow(Channel report, const Child& keeper, const KeeperPlan& plan) const {
  for (;;) {
    auto frame = report.receive();
    if (!frame && frame.error().code != Errc::disconnected) return std::unexpected(frame.error());
    if (!frame) {
      return fail(Errc::internal, "bring up", "the lease", "its keeper died",
                  "Look at the kernel's log (`dmesg`)");
    }
    EMUD_ASSIGN(const wire::Reply reply, wire::parse_reply(frame->json));
    if (!reply.error.empty()) {
      proofs.forget_all();
      return std::unexpected(wire::error_of(reply));
    }
    EMUD_ASSIGN(const auto message, wire::from_json<wire::RunReply>(reply.parameters));
    if (!message.progress) return fail(Errc::protocol, "read", "the keeper's report");
    const auto& [step, object, done, total] = *message.progress;
    if (step == keeper_step::ready) return {};
    if (step == keeper_step::namespaces) {
      EMUD_TRY(map_identity(keeper.pid()));
      EMUD_TRY(report.send(Frame{"{}"}));
    } else if (step == keeper_step::proven) {
      for (const auto& handler : plan.handlers) {
        if (handler.architecture->name != object) continue;
        proofs.remember(object, handler.emulator.manifest().digest, "rootless");
      }
    } else {
      progress(*message.progress);
    }
  }
}

bool is_hidden_proc(const Error& error) {
  return error.action == "mount" && error.object == "/proc";
}

// Says where the store would be, where that cannot be made.
Error with_store_hint(Error error, const Paths& paths) {
  const bool is_about_store =
      error.object.starts_with(paths.state) || paths.state.starts_with(error.object);
  if (error.hint.empty() && is_about_store &&
      (error.code == Errc::permission_denied || error.code == Errc::read_only)) {
    error.hint = fmt::format(
        "Rootless, emud keeps its store in {}: set HOME or XDG_DATA_HOME to a directory that you "
        "may "
        "write",
        paths.state);
  }
  return error;
}

}  // namespace

Result<RunSession> start_rootless(const RunRequest& request, const ProgressHandler& progress) {
  EMUD_ASSIGN(const Paths paths, Paths::user());
  Engine engine{request, progress, paths, Store{paths}, Proofs{paths.proofs()}, {}};
  EMUD_ASSIGN(engine.architectures, resolve(engine.store, request.call.architectures));
  const bool with_pid = !request.call.nix.value_or(false) || !owns_nix_store(::getuid());
  auto session = engine.start(mode_for(with_pid));
  if (!session && with_pid && is_hidden_proc(session.error())) {
    // In a container that hides parts of /proc.
    session = engine.start(mode_for(false));
  }
  if (!session) return std::unexpected(with_store_hint(std::move(session).error(), paths));
  return session;
}

}  // namespace emud::ctl
