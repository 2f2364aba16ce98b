#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "ctl/architecture_names.h"
#include "ctl/client.h"
#include "ctl/context.h"
#include "ctl/events.h"
#include "ctl/output.h"

namespace emud::ctl {
namespace {

struct UnregisterOptions {
  std::vector<std::string> architectures;
  bool all = false, json = false;
};

std::string as_text(const wire::UnregisterReply& reply) {
  std::string text;
  for (const auto& name : reply.removed) text += fmt::format("{}: unregistered\n", name);
  for (const auto& name : reply.still_leased) {
    text += fmt::format("{}: unregistered; its handler goes with the last lease on it\n", name);
  }
  return text.empty() ? "nothing was registered\n" : text;
}

Result<> unregister_pins(const Context& context, const UnregisterOptions& options) {
  EMUD_ASSIGN(auto names, architecture_names(options.architectures));
  wire::UnregisterCall call{.architectures = std::move(names), .all = {}};
  if (options.all) call.all = true;
  EMUD_ASSIGN(Client client, Client::connect(endpoint(context).path));
  EMUD_ASSIGN(const auto reply,
              ask<wire::UnregisterReply>(client, "io.emud.Manager.Unregister", call));
  if (!options.json) return print(as_text(reply));
  return print(fmt::format("{{\"version\":1,\"removed\":{},\"stillLeased\":{}}}\n",
                           json_list(reply.removed), json_list(reply.still_leased)));
}

}  // namespace

void add_unregister(CLI::App& app, Context& context) {
  const auto options = std::make_shared<UnregisterOptions>();
  CLI::App* verb =
      app.add_subcommand("unregister", "Remove what `register` made (needs group emud)");
  CLI::Option* names = verb->add_option("architectures", options->architectures, "Architectures")
                           ->type_name("ARCH...");
  verb->add_flag("--all", options->all, "All of them")->excludes(names);
  verb->add_flag("--json", options->json, "Print JSON");
  verb->callback([options, &context] {
    if (!options->all && options->architectures.empty()) {
      throw CLI::RequiredError("An architecture or --all");
    }
    context.status = finish(unregister_pins(context, *options));
  });
}

}  // namespace emud::ctl
