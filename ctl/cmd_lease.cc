#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <optional>

#include "ctl/architecture_names.h"
#include "ctl/client.h"
#include "ctl/context.h"
#include "ctl/events.h"
#include "ctl/output.h"
#include "ctl/progress.h"
#include "ctl/reconnection.h"
#include "ctl/run_options.h"
#include "ctl/signals.h"
#include "sandbox/process.h"

namespace emud::ctl {
namespace {

struct LeaseOptions {
  std::vector<std::string> architectures;
  std::string emulator, purpose;
  std::optional<int> json_events;
  std::optional<std::int64_t> seconds;
  bool no_fetch = false, verbose = false;
};

struct Acquired {
  Client client;
  std::string id;
  std::optional<std::int64_t> seconds;  // it may last
};

// Reads away what is there; false at the end of the input.
bool skip_input() {
  std::array<char, 4096> bytes;
  const ssize_t count = ::read(STDIN_FILENO, bytes.data(), bytes.size());
  return count > 0 || (count < 0 && (errno == EINTR || errno == EAGAIN));
}

enum class Woken { by_request, by_connection, by_time };

// Until the end of input or a signal that asks to end, something from the connection (-1: there is
// none), or that time (-1: for ever).
Result<Woken> wait(int connection, SignalSource& signals, int limit_ms) {
  for (;;) {
    std::array<pollfd, 3> entries{pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{signals.fd(), POLLIN, 0},
                                  pollfd{connection, POLLIN, 0}};
    const int count = ::poll(entries.data(), entries.size(), limit_ms);
    if (count < 0) {
      if (errno == EINTR) continue;
      return fail_errno("wait for", "the end of input");
    }
    if (count == 0) return Woken::by_time;
    while (const auto information = signals.next()) {
      const int signal = static_cast<int>(information->ssi_signo);
      if (asks_to_end(signal)) return Woken::by_request;
      if (signal == SIGTSTP) signals.stop_self(signal, false);
    }
    if (entries[0].revents != 0 && !skip_input()) return Woken::by_request;
    if (entries[2].revents != 0) return Woken::by_connection;
  }
}

LeaseEvent as_event(const wire::AcquireCall& call, const wire::AcquireReply& reply) {
  const std::vector<std::string> none;
  LeaseEvent event{.lease = reply.lease.value_or(""),
                   .scope = "host",
                   .architectures = call.architectures,
                   .native = reply.native.value_or(none),
                   .notes = reply.notes.value_or(none)};
  std::erase_if(event.architectures, [&](const std::string& name) {
    return std::ranges::find(event.native, name) != event.native.end();
  });
  return event;
}

Result<Acquired> acquire(const std::string& path, const wire::AcquireCall& call,
                         ProgressDisplay& display, EventStream& events) {
  EMUD_ASSIGN(Client client, Client::connect(path));
  EMUD_ASSIGN(const auto answer,
              ask_with_progress<wire::AcquireReply>(client, "io.emud.Manager.Acquire", call, {},
                                                    [&](const wire::Progress& progress) {
                                                      display.show(progress);
                                                      events.progress(progress);
                                                    }));
  display.clear();
  const wire::AcquireReply& reply = answer.first;
  if (!reply.lease) {
    return fail(Errc::protocol, "acquire", "a lease", "emud's answer names none",
                "Look whether emud and emuctl are of the same version: `emuctl status`");
  }
  tell_notes(reply.notes);
  events.lease(as_event(call, reply));
  return Acquired{std::move(client), *reply.lease, reply.seconds};
}

Failure lost(const Error& cause) {
  return fail(Errc::disconnected, "hold", "the lease",
              fmt::format("emud closed the connection, and the lease could not be resumed ({})",
                          cause.message()),
              "The handlers may be gone; look into emud's log (`journalctl -u emud`) and start "
              "again");
}

Failure time_is_over(std::int64_t seconds) {
  return fail(Errc::timed_out, "hold", "the lease",
              fmt::format("its time is over: it could last {} seconds", seconds),
              "Raise lease-seconds in the configuration of emud, or --limit-seconds");
}

// The connection has ended: emud was restarted or stopped. none: the user has had enough meanwhile.
Result<std::optional<Client>> resume(const std::string& path, const std::string& id,
                                     SignalSource& signals) {
  Reconnection again{path};
  for (;;) {
    auto client = again.attempt();
    if (!client) return lost(client.error());
    if (*client) {
      wire::AcquireCall call;
      call.resume = id;
      const auto resumed = ask<wire::AcquireReply>(**client, "io.emud.Manager.Acquire", call);
      if (resumed) return *std::move(client);
      if (resumed.error().code != Errc::disconnected) return lost(resumed.error());
    }
    EMUD_ASSIGN(const Woken woken, wait(-1, signals, static_cast<int>(again.delay().count())));
    if (woken == Woken::by_request) return std::optional<Client>{};
  }
}

Result<> lease(const Context& context, const LeaseOptions& options, EventStream& events) {
  EMUD_ASSIGN(auto names, architecture_names(options.architectures));
  wire::AcquireCall call;
  call.architectures = std::move(names);
  if (!options.purpose.empty()) call.purpose = options.purpose;
  if (!options.emulator.empty()) call.emulator = options.emulator;
  if (options.no_fetch) call.fetch = false;
  call.seconds = options.seconds;
  const std::string path = endpoint(context).path;
  ProgressDisplay display{options.verbose ? Verbosity::verbose : Verbosity::normal};
  EMUD_ASSIGN(Acquired acquired, acquire(path, call, display, events));
  const std::string id = std::move(acquired.id);
  std::optional<Client> client = std::move(acquired.client);
  // From here on a signal ends the lease in good order; until here it just ends emuctl, and emud
  // takes back what it was doing.
  EMUD_ASSIGN(SignalSource signals, SignalSource::open());
  EMUD_TRY(print("ready\n"));
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::seconds{acquired.seconds.value_or(0)};
  for (;;) {
    const int limit_ms = acquired.seconds ? milliseconds_until(deadline) : -1;
    EMUD_ASSIGN(const Woken woken, wait(client->fd(), signals, limit_ms));
    if (woken == Woken::by_request) break;
    if (woken == Woken::by_time) {
      if (Clock::now() < deadline) continue;
      EMUD_TRY(release_lease(*client, path, id));
      return time_is_over(*acquired.seconds);
    }
    EMUD_ASSIGN(client, resume(path, id, signals));
    if (!client) return {};  // emud sees that this process is gone
    if (options.verbose) message("emud was restarted; the lease goes on");
  }
  // Answered when the handlers are down: whoever waits for emuctl finds nothing left.
  return release_lease(*client, path, id);
}

Result<> lease_and_tell(const Context& context, const LeaseOptions& options) {
  EMUD_ASSIGN(EventStream events, EventStream::open(options.json_events));
  auto leased = lease(context, options, events);
  if (!leased) events.error(leased.error());
  return leased;
}

}  // namespace

void add_lease(CLI::App& app, Context& context) {
  const auto options = std::make_shared<LeaseOptions>();
  CLI::App* verb = app.add_subcommand(
      "lease", "Hold host handlers until the end of input or a signal (needs group emud)");
  verb->add_option("architectures", options->architectures, "Architectures")
      ->required()
      ->type_name("ARCH...");
  declare_emulator_options(*verb, options->emulator, options->no_fetch);
  declare_events_option(*verb, options->json_events);
  declare_time_option(*verb, options->seconds,
                      "Seconds to hold them at most; then emuctl exits with 1 (default: as emud is "
                      "configured, which is the most)");
  verb->add_option("--purpose", options->purpose, "A word for `emuctl status`")->type_name("TEXT");
  verb->add_flag("-v,--verbose", options->verbose, "Write each step");
  verb->footer("Prints \"ready\" when the handlers are there, and holds them until stdin ends.");
  verb->callback(
      [options, &context] { context.status = finish(lease_and_tell(context, *options)); });
}

}  // namespace emud::ctl
