#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <memory>

#include "ctl/architecture_names.h"
#include "ctl/client.h"
#include "ctl/context.h"
#include "ctl/output.h"
#include "ctl/progress.h"
#include "ctl/signals.h"

namespace emud::ctl {
namespace {

struct LeaseOptions {
  std::vector<std::string> architectures;
  std::string emulator, purpose;
  bool verbose = false;
};

// Reads away what is there; false at the end of the input.
bool skip_input() {
  std::array<char, 4096> bytes;
  const ssize_t count = ::read(STDIN_FILENO, bytes.data(), bytes.size());
  return count > 0 || (count < 0 && (errno == EINTR || errno == EAGAIN));
}

// Until the end of input, a signal that asks to end (both good), or the end of the connection.
Result<> hold(const Client& client, SignalSource& signals) {
  for (;;) {
    std::array<pollfd, 3> entries{pollfd{STDIN_FILENO, POLLIN, 0}, pollfd{signals.fd(), POLLIN, 0},
                                  pollfd{client.fd(), POLLIN, 0}};
    if (::poll(entries.data(), entries.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return fail_errno("wait for", "the end of input");
    }
    while (const auto information = signals.next()) {
      const int signal = static_cast<int>(information->ssi_signo);
      if (asks_to_end(signal)) return {};
      if (signal == SIGTSTP) signals.stop_self(signal, false);
    }
    if (entries[0].revents != 0 && !skip_input()) return {};
    if (entries[2].revents != 0) {
      return fail(Errc::disconnected, "hold", "the lease", "emud closed the connection",
                  "The handlers may be gone; look into emud's log (`journalctl -u emud`) and start "
                  "again");
    }
  }
}

Result<> lease(const Context& context, const LeaseOptions& options) {
  EMUD_ASSIGN(auto names, architecture_names(options.architectures));
  wire::AcquireCall call{.architectures = std::move(names), .purpose = {}, .emulator = {}};
  if (!options.purpose.empty()) call.purpose = options.purpose;
  if (!options.emulator.empty()) call.emulator = options.emulator;
  EMUD_ASSIGN(Client client, Client::connect(endpoint(context).path));
  ProgressDisplay display{options.verbose ? Verbosity::verbose : Verbosity::normal};
  EMUD_ASSIGN(const auto answer,
              ask_with_progress<wire::AcquireReply>(
                  client, "io.emud.Manager.Acquire", call, {},
                  [&](const wire::Progress& progress) { display.show(progress); }));
  display.clear();
  if (!answer.first.lease) {
    return fail(Errc::protocol, "acquire", "a lease", "emud's answer names none",
                "Look whether emud and emuctl are of the same version: `emuctl status`");
  }
  // From here on a signal ends the lease in good order; until here it just ends emuctl, and emud
  // takes back what it was doing.
  EMUD_ASSIGN(SignalSource signals, SignalSource::open());
  EMUD_TRY(print("ready\n"));
  EMUD_TRY(hold(client, signals));
  // Answered when the handlers are down: whoever waits for emuctl finds nothing left.
  EMUD_TRY(client.call("io.emud.Manager.Release",
                       wire::to_json(wire::ReleaseCall{*answer.first.lease})));
  return {};
}

}  // namespace

void add_lease(CLI::App& app, Context& context) {
  const auto options = std::make_shared<LeaseOptions>();
  CLI::App* verb = app.add_subcommand(
      "lease", "Hold host handlers until the end of input or a signal (needs group emud)");
  verb->add_option("architectures", options->architectures, "Architectures")
      ->required()
      ->type_name("ARCH...");
  verb->add_option("--emulator", options->emulator, "The QEMU version to use (default: the newest)")
      ->type_name("VERSION");
  verb->add_option("--purpose", options->purpose, "A word for `emuctl status`")->type_name("TEXT");
  verb->add_flag("-v,--verbose", options->verbose, "Write each step");
  verb->footer("Prints \"ready\" when the handlers are there, and holds them until stdin ends.");
  verb->callback([options, &context] { context.status = finish(lease(context, *options)); });
}

}  // namespace emud::ctl
