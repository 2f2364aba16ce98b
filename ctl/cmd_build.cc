#include <CLI/CLI.hpp>
#include <memory>

#include "ctl/context.h"
#include "ctl/run_command.h"

namespace emud::ctl {

void add_build(CLI::App& app, Context& context) {
  const auto options = std::make_shared<RunOptions>();
  CLI::App* verb =
      app.add_subcommand("build", "Run nix-build so that it builds for foreign systems");
  declare_run_options(*verb, *options);
  verb->footer(
      "The arguments of nix-build follow: emuctl build [OPTIONS] [--] [ARGUMENT]...\n\n"
      "Exit status: as of `emuctl run`, with nix-build as the command.");
  verb->callback([options, &context] {
    std::vector<std::string> command{"nix-build"};
    command.insert(command.end(), context.command.begin(), context.command.end());
    if (!options->no_nix) options->nix = true;
    context.status = run_command(context, *options, std::move(command));
  });
}

}  // namespace emud::ctl
