#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "ctl/architecture_names.h"
#include "ctl/context.h"
#include "ctl/deep/runner.h"
#include "ctl/engine.h"
#include "ctl/installed.h"
#include "ctl/output.h"
#include "ctl/probe_report.h"
#include "ctl/run_options.h"
#include "wire/errors.h"

namespace emud::ctl {
namespace {

constexpr int not_done = 1;

struct ProbeOptions : RunOptions {
  bool json = false;
  bool deep = false;
  int time_limit = deep_time_limit;
  std::vector<std::string> checks;
};

std::vector<std::string> check_names() {
  std::vector<std::string> names;
  for (const DeepCheck& check : deep_checks()) names.emplace_back(check.id);
  return names;
}

Result<std::vector<std::string>> architectures_to_probe(const RunOptions& options,
                                                        std::optional<Client>& client) {
  if (!options.architectures.empty()) return architecture_names(options.architectures);
  EMUD_ASSIGN(const auto emulators, installed_emulators(client));
  std::vector<std::string> names;
  for (const auto& emulator : emulators) names.push_back(emulator.architecture);
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  if (!names.empty()) return names;
  return fail(Errc::not_ready, "probe", "all architectures", "no emulator is installed",
              "Name architectures, or install an emulator with `emuctl emulator install`");
}

// A bring-up without a command; the lease ends with the session.
Result<RunSession> bring_up(const std::string& architecture, const RunOptions& options,
                            std::optional<Client>& client) {
  RunIntent intent;
  intent.architectures = {architecture};
  intent.scope = options.scope;
  intent.emulator = options.emulator;
  intent.no_fetch = options.no_fetch;
  intent.fresh = true;
  EMUD_ASSIGN(RunRequest request, make_run_request(intent));
  ProgressDisplay display{options.verbosity()};
  return start(client, std::move(request),
               [&](const wire::Progress& progress) { display.show(progress); });
}

Result<std::vector<DeepOutcome>> check_in_depth(const std::string& architecture,
                                                const ProbeOptions& options,
                                                std::optional<Client>& client) {
  const DeepOptions deep{.architecture = architecture,
                         .scope = options.scope,
                         .emulator = options.emulator,
                         .time_limit = options.time_limit,
                         .only = options.checks};
  return run_deep_checks(client, deep, [&](const DeepOutcome& outcome) {
    if (options.verbosity() != Verbosity::verbose) return;
    message(fmt::format("{} {}: {} ({} ms)", architecture, outcome.check->id,
                        to_string(outcome.result), outcome.milliseconds));
  });
}

Result<std::vector<Probe>> probe_all(const Context& context, const ProbeOptions& options) {
  const EngineChoice choice{endpoint(context), options.scope, options.rootless};
  EMUD_ASSIGN(std::optional<Client> client, choose_engine(choice, options.verbosity()));
  EMUD_ASSIGN(const auto names, architectures_to_probe(options, client));
  std::vector<Probe> probes;
  for (const auto& name : names) {
    Probe probe{.architecture = name,
                .outcome = bring_up(name, options, client),
                .deep = {},
                .is_named = !options.architectures.empty()};
    if (options.deep && probe.outcome) {
      probe.deep = check_in_depth(name, options, client);
      const bool cancelled = !*probe.deep && probe.deep->error().code == Errc::cancelled;
      if (cancelled) return std::unexpected(probe.deep->error());
    }
    probes.push_back(std::move(probe));
  }
  return probes;
}

int probe(const Context& context, const ProbeOptions& options) {
  const auto probes = probe_all(context, options);
  if (!probes) {
    const int failed = finish(std::unexpected(probes.error()));
    return probes.error().code == Errc::not_ready ? wire::exit_not_ready : failed;
  }
  const auto printed =
      print(options.json ? probes_json(*probes) : probes_text(*probes, uses_colour(STDOUT_FILENO)));
  if (!printed) return finish(printed);
  if (std::ranges::any_of(*probes, &Probe::is_broken)) return wire::exit_not_ready;
  return std::ranges::any_of(*probes, &Probe::is_undecided) ? not_done : 0;
}

}  // namespace

void add_probe(CLI::App& app, Context& context) {
  const auto options = std::make_shared<ProbeOptions>();
  CLI::App* verb = app.add_subcommand("probe", "Prove that programs of other architectures run");
  verb->add_option("architectures", options->architectures,
                   "Architectures (default: all that are installed)")
      ->type_name("ARCH...");
  declare_engine_options(*verb, *options);
  CLI::Option* deep =
      verb->add_flag("--deep", options->deep,
                     "Check as well what builds need: memory, processes, threads, signals, files");
  verb->add_option("--time-limit", options->time_limit,
                   "What each of these checks may take, in seconds (default: 30)")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 3600))
      ->needs(deep);
  verb->add_option("--check", options->checks, "Only this one of the checks (repeatable)")
      ->type_name("NAME")
      ->check(CLI::IsMember(check_names()))
      ->allow_extra_args(false)
      ->needs(deep);
  verb->add_flag("--json", options->json, "Print JSON");
  verb->add_flag("-v,--verbose", options->verbose, "Write each step");
  verb->footer(
      "Exit status: 0 if all are ready, 3 if one is not or a check found it broken, 1 or 2 if that "
      "cannot be told.");
  verb->callback([options, &context] { context.status = probe(context, *options); });
}

}  // namespace emud::ctl
