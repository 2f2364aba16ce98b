#include <CLI/CLI.hpp>
#include <memory>

#include "ctl/emulator_verbs.h"
#include "ctl/engine.h"
#include "ctl/installed.h"
#include "ctl/output.h"
#include "ctl/status_text.h"

namespace emud::ctl {
namespace {

struct ListOptions {
  bool rootless = false, json = false;
};

Result<> list(const Context& context, const ListOptions& options) {
  const EngineChoice choice{endpoint(context), "auto", options.rootless};
  EMUD_ASSIGN(std::optional<Client> client, choose_engine(choice, Verbosity::normal));
  EMUD_ASSIGN(const auto emulators, installed_emulators(client));
  return print(options.json ? emulators_json(emulators) : emulators_text(emulators));
}

}  // namespace

void add_emulator_list(CLI::App& app, Context& context) {
  const auto options = std::make_shared<ListOptions>();
  CLI::App* verb = app.add_subcommand("list", "Show what is installed");
  verb->add_flag("--rootless", options->rootless, "Your own store and the system's, without emud");
  verb->add_flag("--json", options->json, "Print JSON");
  verb->callback([options, &context] { context.status = finish(list(context, *options)); });
}

}  // namespace emud::ctl
