// The verbs below `emuctl emulator`, one file each.
#pragma once

#include "ctl/context.h"

namespace emud::ctl {

void add_emulator_list(CLI::App& app, Context& context);
void add_emulator_install(CLI::App& app, Context& context);
void add_emulator_remove(CLI::App& app, Context& context);
void add_emulator_verify(CLI::App& app, Context& context);
void add_emulator_prune(CLI::App& app, Context& context);

}  // namespace emud::ctl
