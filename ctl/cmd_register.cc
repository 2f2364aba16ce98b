#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "ctl/architecture_names.h"
#include "ctl/client.h"
#include "ctl/context.h"
#include "ctl/events.h"
#include "ctl/output.h"
#include "ctl/progress.h"
#include "ctl/run_options.h"

namespace emud::ctl {
namespace {

struct RegisterOptions {
  std::vector<std::string> architectures;
  std::string emulator;
  std::optional<int> json_events;
  bool no_fetch = false, persist = false, json = false, verbose = false;
};

std::string as_json(const wire::RegisterReply& reply) {
  std::string handlers;
  for (const auto& handler : reply.handlers.value_or(std::vector<wire::Handler>{})) {
    handlers += fmt::format("{}{}", handlers.empty() ? "" : ",", wire::to_json(handler));
  }
  const std::vector<std::string> none;
  return fmt::format("{{\"version\":1,\"handlers\":[{}],\"native\":{},\"notes\":{}}}\n", handlers,
                     json_list(reply.native.value_or(none)), json_list(reply.notes.value_or(none)));
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

Result<> register_pins(const Context& context, const RegisterOptions& options,
                       EventStream& events) {
  EMUD_ASSIGN(auto names, architecture_names(options.architectures));
  wire::RegisterCall call{
      .architectures = std::move(names), .emulator = {}, .persist = {}, .fetch = {}};
  if (!options.emulator.empty()) call.emulator = options.emulator;
  if (options.persist) call.persist = true;
  if (options.no_fetch) call.fetch = false;
  EMUD_ASSIGN(Client client, Client::connect(endpoint(context).path));
  ProgressDisplay display{options.verbose ? Verbosity::verbose : Verbosity::normal};
  EMUD_ASSIGN(const auto answer,
              ask_with_progress<wire::RegisterReply>(client, "io.emud.Manager.Register", call, {},
                                                     [&](const wire::Progress& progress) {
                                                       display.show(progress);
                                                       events.progress(progress);
                                                     }));
  display.clear();
  tell_notes(answer.first.notes);
  return print(options.json ? as_json(answer.first) : as_text(answer.first));
}

Result<> register_and_tell(const Context& context, const RegisterOptions& options) {
  EMUD_ASSIGN(EventStream events, EventStream::open(options.json_events));
  auto registered = register_pins(context, options, events);
  if (!registered) events.error(registered.error());
  return registered;
}

}  // namespace

void add_register(CLI::App& app, Context& context) {
  const auto options = std::make_shared<RegisterOptions>();
  CLI::App* verb = app.add_subcommand(
      "register", "Register host handlers that stay until `unregister` (needs group emud)");
  verb->add_option("architectures", options->architectures, "Architectures")
      ->required()
      ->type_name("ARCH...");
  declare_emulator_options(*verb, options->emulator, options->no_fetch);
  declare_events_option(*verb, options->json_events);
  verb->add_flag("--persist", options->persist, "Register them after a reboot too");
  verb->add_flag("--json", options->json, "Print JSON");
  verb->add_flag("-v,--verbose", options->verbose, "Write each step");
  verb->callback(
      [options, &context] { context.status = finish(register_and_tell(context, *options)); });
}

}  // namespace emud::ctl
