#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "arch/architecture.h"
#include "ctl/context.h"
#include "ctl/run_command.h"

namespace emud::ctl {
namespace {

std::string footer() {
  std::vector<std::string_view> names;
  for (const auto& architecture : architectures()) names.push_back(architecture.name);
  return fmt::format(
      "The command follows its options: emuctl run [OPTIONS] [--] COMMAND [ARGUMENT]...\n\n"
      "Exit status: the command's; 128+N if signal N ended it; 125 if emuctl or emud failed, "
      "wrong\n"
      "usage included; 126 if the command cannot be executed; 127 if it is not found.\n\n"
      "Architectures (their names in Debian, Docker, Nix and uname are accepted as well):\n  {}",
      fmt::join(names, " "));
}

}  // namespace

void add_run(CLI::App& app, Context& context) {
  const auto options = std::make_shared<RunOptions>();
  CLI::App* verb = app.add_subcommand("run", "Run a command that may start foreign programs");
  declare_run_options(*verb, *options);
  verb->footer(footer);
  verb->callback([options, &context] {
    if (context.command.empty()) {
      throw CLI::RequiredError("A command, as in `emuctl run -a aarch64 -- uname -m`,");
    }
    context.status = run_command(context, *options, context.command);
  });
}

}  // namespace emud::ctl
