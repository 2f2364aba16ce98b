#include "ctl/run_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "ctl/architecture_names.h"
#include "ctl/engine.h"
#include "ctl/events.h"
#include "ctl/keeper_session.h"
#include "ctl/output.h"
#include "ctl/reconnection.h"
#include "ctl/terminal.h"
#include "wire/errors.h"

namespace emud::ctl {
namespace {

constexpr int qemu_failed = 255;  // linux-user's status for a program that it cannot load

Result<RunIntent> intent_of(const RunOptions& options, std::vector<std::string> command) {
  RunIntent intent;
  EMUD_ASSIGN(intent.architectures, architecture_names(options.architectures));
  intent.scope = options.scope;
  intent.emulator = options.emulator;
  intent.no_fetch = options.no_fetch;
  intent.command = std::move(command);
  if (options.nix || options.no_nix) intent.nix = options.nix;
  intent.limits = options.limits;
  return intent;
}

// emuctl makes a terminal only for a command that leads a session of its own; any other has the
// caller's.
Result<std::optional<Terminal>> terminal_for(const RunOptions& options, bool shares_terminal,
                                             RunRequest& request) {
  if (shares_terminal) {
    if (options.terminal && !options.quiet) {
      message("note: rootless, the command uses your terminal itself; --terminal changes nothing");
    }
    return std::nullopt;
  }
  if (options.no_terminal || (!options.terminal && ::isatty(STDIN_FILENO) != 1)) {
    return std::nullopt;
  }
  EMUD_ASSIGN(Terminal terminal, Terminal::open());
  EMUD_TRY(terminal.attach(request));
  return std::optional<Terminal>{std::move(terminal)};
}

// The host's handlers go after the keeper, by emud's hand.
class HostLease {
 public:
  explicit HostLease(const RunSession& session)
      : id_(session.scope == "host" ? session.lease : "") {}

  [[nodiscard]] bool is_held() const { return !id_.empty(); }
  // Release answers when nothing of the lease is left. Whatever goes wrong with it is emud's to
  // tell: the command has ended, and its status counts.
  void wait_until_gone(Client& client, const std::string& path) const {
    if (is_held()) (void)release_lease(client, path, id_);
  }

 private:
  std::string id_;
};

void tell(const RunSession& session, const RunOptions& options) {
  const Verbosity verbosity = options.verbosity();
  if (verbosity == Verbosity::quiet) return;
  tell_notes(session.notes);
  // What was asked for is not emulated: nobody should take the result for the emulator's.
  if (!options.architectures.empty() && session.architectures.empty()) {
    message(fmt::format("note: this machine runs {} itself: no emulator is used",
                        listed(session.native)));
  }
  if (verbosity == Verbosity::verbose) {
    message(fmt::format("lease {} is ready: scope {}, handlers for {}, native {}", session.lease,
                        session.scope, listed(session.architectures), listed(session.native)));
  }
}

// QEMU says that it cannot open the linker, but not what to do about it.
void explain_missing_linker(const std::string& linker) {
  report(
      fail(Errc::not_found, "find the program's dynamic linker", linker,
           "it is not on this machine",
           "Install the C library of that architecture, or set QEMU_LD_PREFIX to a directory that "
           "holds it (such as /usr/aarch64-linux-gnu), or link the program statically")
          .error());
}

Result<int> run(const Context& context, const RunOptions& options, std::vector<std::string> command,
                EventStream& events) {
  const std::vector<int> excluded(options.json_events && *options.json_events > STDERR_FILENO,
                                  options.json_events.value_or(-1));
  EMUD_ASSIGN(const RunIntent intent, intent_of(options, std::move(command)));
  EMUD_ASSIGN(RunRequest request, make_run_request(intent, excluded));
  const EngineChoice choice{endpoint(context), options.scope, options.rootless};
  EMUD_ASSIGN(std::optional<Client> client, choose_engine(choice, options.verbosity()));
  // Rootless, the command stays in the caller's session, unless the caller is root: then its keeper
  // works as emud's do.
  const bool shares_terminal = !client && ::geteuid() != 0;
  EMUD_ASSIGN(std::optional<Terminal> terminal, terminal_for(options, shares_terminal, request));

  ProgressDisplay display{options.verbosity()};
  const auto progress = [&](const wire::Progress& step) {
    display.show(step);
    events.progress(step);
  };
  const std::string missing_linker = std::move(request.missing_linker);
  EMUD_ASSIGN(RunSession session, start(client, std::move(request), progress));
  const HostLease host{session};
  if (!host.is_held()) client.reset();  // a private lease hangs on the keeper's channel alone
  display.clear();
  tell(session, options);
  events.lease({.lease = session.lease,
                .scope = session.scope,
                .architectures = session.architectures,
                .native = session.native,
                .notes = session.notes});

  const auto on_reply = [&](const wire::WaitReply& reply) {
    events.waited(reply);
    if (!options.quiet) tell_notes(reply.notes);
  };
  KeeperSession keeper{std::move(session),
                       {.shares_terminal = shares_terminal,
                        .terminal = terminal ? &*terminal : nullptr,
                        .grace = end_grace,
                        .on_reply = on_reply}};
  auto status = keeper.run();
  if (client) host.wait_until_gone(*client, endpoint(context).path);
  if (status && *status == qemu_failed && !missing_linker.empty() && !options.quiet) {
    explain_missing_linker(missing_linker);
  }
  return status;
}

}  // namespace

int run_command(const Context& context, const RunOptions& options,
                std::vector<std::string> command) {
  auto opened = EventStream::open(options.json_events);
  if (!opened) {
    report(opened.error());
    return wire::run_exit_status(opened.error());
  }
  EventStream events = *std::move(opened);
  const auto status = run(context, options, std::move(command), events);
  if (!status) {
    report(status.error());
    events.error(status.error());
  }
  const int exit_status = status ? *status : wire::run_exit_status(status.error());
  events.exit(exit_status);
  return exit_status;
}

}  // namespace emud::ctl
