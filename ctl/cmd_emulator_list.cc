#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "ctl/architecture_names.h"
#include "ctl/emulator_table.h"
#include "ctl/emulator_verbs.h"
#include "ctl/engine.h"
#include "ctl/fit.h"
#include "ctl/output.h"
#include "ctl/own_store.h"

namespace emud::ctl {
namespace {

struct ListOptions {
  std::vector<std::string> architectures;
  bool installed = false, rootless = false, json = false;
};

Result<std::vector<wire::ListedEmulator>> all(std::optional<Client>& client) {
  if (client) {
    EMUD_ASSIGN(auto reply, ask<wire::ListEmulatorsReply>(*client, "io.emud.Manager.ListEmulators",
                                                          wire::Nothing{}));
    return std::move(reply.emulators);
  }
  EMUD_ASSIGN(const OwnStore store, OwnStore::open());
  return store.list();
}

Result<> list(const Context& context, const ListOptions& options) {
  const EngineChoice choice{endpoint(context), "auto", options.rootless};
  EMUD_ASSIGN(const auto names, architecture_names(options.architectures));
  EMUD_ASSIGN(std::optional<Client> client, choose_engine(choice, Verbosity::normal));
  EMUD_ASSIGN(auto emulators, all(client));
  std::erase_if(emulators, [&](const auto& one) {
    const bool is_other =
        !names.empty() && std::ranges::find(names, one.architecture) == names.end();
    return is_other || (options.installed && !one.installed);
  });
  if (options.json) return print(listed_json(emulators));
  const bool shows_details = options.installed || !names.empty();
  const std::size_t width = output_width();
  return print(shows_details ? details_text(emulators, width) : versions_text(emulators, width));
}

}  // namespace

void add_emulator_list(CLI::App& app, Context& context) {
  const auto options = std::make_shared<ListOptions>();
  CLI::App* verb = app.add_subcommand("list", "Show what is installed and what could be fetched");
  verb->add_option("-a,--arch", options->architectures,
                   "Each emulator for these architectures, with its digest; may be repeated")
      ->allow_extra_args(false)
      ->type_name("ARCH[,ARCH]");
  verb->add_flag("--installed", options->installed, "Each emulator that is installed");
  verb->add_flag("--rootless", options->rootless, "Your own store and the system's, without emud");
  verb->add_flag("--json", options->json, "Print JSON: each emulator");
  verb->callback([options, &context] { context.status = finish(list(context, *options)); });
}

}  // namespace emud::ctl
