#include "ctl/run_options.h"

#include <CLI/CLI.hpp>

namespace emud::ctl {

Verbosity RunOptions::verbosity() const {
  if (quiet) return Verbosity::quiet;
  return verbose ? Verbosity::verbose : Verbosity::normal;
}

void declare_engine_options(CLI::App& verb, RunOptions& options) {
  verb.add_option("--scope", options.scope, "Where the handlers live (default: auto)")
      ->check(CLI::IsMember({"auto", "private", "host"}));
  verb.add_option("--emulator", options.emulator, "The QEMU version to use (default: the newest)")
      ->type_name("VERSION");
  verb.add_flag("--rootless", options.rootless, "Do without emud, in a user namespace of your own");
}

void declare_run_options(CLI::App& verb, RunOptions& options) {
  // One word for each -a: the command may follow at once.
  verb.add_option(
          "-a,--arch", options.architectures,
          "Architectures the command needs; may be repeated (default: the command's own if it "
          "is a foreign program, else all that are installed)")
      ->allow_extra_args(false)
      ->type_name("ARCH[,ARCH]");
  declare_engine_options(verb, options);
  verb.add_option("--json-events", options.json_events,
                  "Write what happens to this descriptor, one JSON object a line")
      ->type_name("FD");
  CLI::Option* nix =
      verb.add_flag("--nix", options.nix,
                    "Make Nix build for the architectures (default: by the command's name)");
  verb.add_flag("--no-nix", options.no_nix, "Do not")->excludes(nix);
  CLI::Option* terminal = verb.add_flag("-t,--terminal", options.terminal,
                                        "Give the command a terminal even if stdin is none");
  verb.add_flag("-T,--no-terminal", options.no_terminal, "Give it no terminal of its own")
      ->excludes(terminal);
  CLI::Option* quiet = verb.add_flag("-q,--quiet", options.quiet, "Write errors only");
  verb.add_flag("-v,--verbose", options.verbose, "Write each step")->excludes(quiet);
}

}  // namespace emud::ctl
