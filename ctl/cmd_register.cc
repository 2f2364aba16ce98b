#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "ctl/architecture_names.h"
#include "ctl/client.h"
#include "ctl/context.h"
#include "ctl/events.h"
#include "ctl/output.h"
#include "ctl/progress.h"

namespace emud::ctl {
namespace {

struct RegisterOptions {
  std::vector<std::string> architectures;
  std::string emulator;
  bool persist = false, json = false, verbose = false;
};

std::string as_json(const wire::RegisterReply& reply) {
  std::string handlers;
  for (const auto& handler : reply.handlers.value_or(std::vector<wire::Handler>{})) {
    handlers += fmt::format("{}{}", handlers.empty() ? "" : ",", wire::to_json(handler));
  }
  return fmt::format("{{\"version\":1,\"handlers\":[{}],\"native\":{}}}\n", handlers,
                     json_list(reply.native.value_or(std::vector<std::string>{})));
}

std::string as_text(const wire::RegisterReply& reply) {
  std::string text;
  for (const auto& handler : reply.handlers.value_or(std::vector<wire::Handler>{})) {
    text += fmt::format("{}: registered as {} (QEMU {}{})\n", handler.architecture, handler.name,
                        handler.version, handler.persistent ? ", also after a reboot" : "");
  }
  for (const auto& name : reply.native.value_or(std::vector<std::string>{})) {
    text += fmt::format("{}: needs no handler, this machine runs it\n", name);
  }
  return text;
}

Result<> register_pins(const Context& context, const RegisterOptions& options) {
  EMUD_ASSIGN(auto names, architecture_names(options.architectures));
  wire::RegisterCall call{.architectures = std::move(names), .emulator = {}, .persist = {}};
  if (!options.emulator.empty()) call.emulator = options.emulator;
  if (options.persist) call.persist = true;
  EMUD_ASSIGN(Client client, Client::connect(endpoint(context).path));
  ProgressDisplay display{options.verbose ? Verbosity::verbose : Verbosity::normal};
  EMUD_ASSIGN(const auto answer,
              ask_with_progress<wire::RegisterReply>(
                  client, "io.emud.Manager.Register", call, {},
                  [&](const wire::Progress& progress) { display.show(progress); }));
  display.clear();
  return print(options.json ? as_json(answer.first) : as_text(answer.first));
}

}  // namespace

void add_register(CLI::App& app, Context& context) {
  const auto options = std::make_shared<RegisterOptions>();
  CLI::App* verb = app.add_subcommand(
      "register", "Register host handlers that stay until `unregister` (needs group emud)");
  verb->add_option("architectures", options->architectures, "Architectures")
      ->required()
      ->type_name("ARCH...");
  verb->add_option("--emulator", options->emulator, "The QEMU version to use (default: the newest)")
      ->type_name("VERSION");
  verb->add_flag("--persist", options->persist, "Register them after a reboot too");
  verb->add_flag("--json", options->json, "Print JSON");
  verb->add_flag("-v,--verbose", options->verbose, "Write each step");
  verb->callback(
      [options, &context] { context.status = finish(register_pins(context, *options)); });
}

}  // namespace emud::ctl
