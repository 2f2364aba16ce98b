#include "ctl/run_options.h"

#include <CLI/CLI.hpp>

namespace emud::ctl {

Verbosity RunOptions::verbosity() const {
  if (quiet) return Verbosity::quiet;
  return verbose ? Verbosity::verbose : Verbosity::normal;
}

void declare_emulator_options(CLI::App& verb, std::string& version, bool& no_fetch) {
  verb.add_option("--emulator", version,
                  "The QEMU version to use; 7.2 takes 7.2.22 (default: what `emulator list` shows "
                  "as default)")
      ->type_name("VERSION");
  verb.add_flag("--no-fetch", no_fetch, "Do not fetch an emulator that is not installed");
}

void declare_events_option(CLI::App& verb, std::optional<int>& fd) {
  verb.add_option("--json-events", fd,
                  "Write what happens to this descriptor, one JSON object a line")
      ->type_name("FD");
}

void declare_engine_options(CLI::App& verb, RunOptions& options) {
  verb.add_option("--scope", options.scope, "Where the handlers live (default: auto)")
      ->check(CLI::IsMember({"auto", "private", "host"}));
  declare_emulator_options(verb, options.emulator, options.no_fetch);
  verb.add_flag("--rootless", options.rootless, "Do without emud, in a user namespace of your own");
}

void declare_time_option(CLI::App& verb, std::optional<std::int64_t>& seconds,
                         const std::string& help) {
  constexpr std::int64_t most = 1 << 30;
  verb.add_option("--limit-seconds", seconds, help)
      ->check(CLI::Range(std::int64_t{1}, most))
      ->type_name("N");
}

void declare_limit_options(CLI::App& verb, wire::Limits& limits) {
  constexpr std::int64_t most_processes = 1 << 22;
  constexpr std::int64_t most_weight = 10000;
  verb.add_option("--limit-processes", limits.processes,
                  "Processes and threads the command may have (default: as emud is configured, "
                  "which is the most)")
      ->check(CLI::Range(std::int64_t{1}, most_processes))
      ->type_name("N");
  verb.add_option("--limit-memory", limits.memory,
                  "Memory it may use, in bytes or as 4G; where emud has no cgroup controller for "
                  "it, each of its processes")
      ->transform(CLI::AsSizeValue{false})
      ->type_name("SIZE");
  verb.add_option("--limit-cpu-weight", limits.cpu_weight,
                  "Its share of a busy machine, where your other leases have 100")
      ->check(CLI::Range(std::int64_t{1}, most_weight))
      ->type_name("N");
  declare_time_option(verb, limits.seconds,
                      "Seconds it may take; then it is ended, and emuctl exits with 125");
}

void declare_run_options(CLI::App& verb, RunOptions& options) {
  // One word for each -a: the command may follow at once.
  verb.add_option(
          "-a,--arch", options.architectures,
          "Architectures the command needs; may be repeated (default: the command's own if it "
          "or its #! interpreter is a foreign program, else all that are installed)")
      ->allow_extra_args(false)
      ->type_name("ARCH[,ARCH]");
  declare_engine_options(verb, options);
  declare_events_option(verb, options.json_events);
  CLI::Option* nix =
      verb.add_flag("--nix", options.nix,
                    "Make Nix build for the architectures (default: by the command's name)");
  verb.add_flag("--no-nix", options.no_nix, "Do not")->excludes(nix);
  CLI::Option* terminal = verb.add_flag("-t,--terminal", options.terminal,
                                        "Give the command a terminal even if stdin is none");
  verb.add_flag("-T,--no-terminal", options.no_terminal, "Give it no terminal of its own")
      ->excludes(terminal);
  declare_limit_options(verb, options.limits);
  CLI::Option* quiet = verb.add_flag("-q,--quiet", options.quiet, "Write errors only");
  verb.add_flag("-v,--verbose", options.verbose, "Write each step")->excludes(quiet);
}

}  // namespace emud::ctl
