#include <CLI/CLI.hpp>

#include "ctl/context.h"
#include "ctl/emulator_verbs.h"

namespace emud::ctl {

void add_emulator(CLI::App& app, Context& context) {
  CLI::App* verb = app.add_subcommand("emulator", "Show and change the emulators in the store");
  verb->require_subcommand(1);
  add_emulator_list(*verb, context);
  add_emulator_install(*verb, context);
  add_emulator_remove(*verb, context);
  add_emulator_verify(*verb, context);
  add_emulator_prune(*verb, context);
}

}  // namespace emud::ctl
