#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "ctl/architecture_names.h"
#include "ctl/context.h"
#include "ctl/engine.h"
#include "ctl/events.h"
#include "ctl/installed.h"
#include "ctl/output.h"
#include "ctl/run_options.h"

namespace emud::ctl {
namespace {

constexpr int not_ready = 3;

struct Probe {
  std::string architecture;
  Result<RunSession> outcome;

  [[nodiscard]] bool is_native() const {
    return outcome && std::ranges::find(outcome->native, architecture) != outcome->native.end();
  }
};

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
  intent.fresh = true;
  EMUD_ASSIGN(RunRequest request, make_run_request(intent));
  ProgressDisplay display{options.verbosity()};
  return start(client, std::move(request),
               [&](const wire::Progress& progress) { display.show(progress); });
}

std::string as_json(const std::vector<Probe>& probes) {
  std::string list;
  for (const auto& probe : probes) {
    if (!list.empty()) list += ',';
    list += fmt::format("{{\"architecture\":\"{}\",\"ready\":{},", probe.architecture,
                        probe.outcome.has_value());
    list += probe.outcome ? fmt::format("\"native\":{},\"scope\":\"{}\"}}", probe.is_native(),
                                        probe.outcome->scope)
                          : fmt::format("\"error\":{}}}", error_json(probe.outcome.error()));
  }
  return fmt::format("{{\"version\":1,\"probes\":[{}]}}\n", list);
}

std::string as_text(const std::vector<Probe>& probes, bool colour) {
  std::string text;
  for (const auto& probe : probes) {
    if (!probe.outcome) {
      const Error& error = probe.outcome.error();
      text += fmt::format("{}: {}: {}\n", probe.architecture,
                          coloured("not ready", Colour::red, colour), error.message());
      if (!error.hint.empty()) text += fmt::format("  {}.\n", error.hint);
    } else if (probe.is_native()) {
      text += fmt::format("{}: {} (this machine runs it without a handler)\n", probe.architecture,
                          coloured("ready", Colour::green, colour));
    } else {
      text += fmt::format("{}: {} ({} scope)\n", probe.architecture,
                          coloured("ready", Colour::green, colour), probe.outcome->scope);
    }
  }
  return text;
}

Result<bool> probe(const Context& context, const RunOptions& options, bool json) {
  const EngineChoice choice{endpoint(context), options.scope, options.rootless};
  EMUD_ASSIGN(std::optional<Client> client, choose_engine(choice, options.verbosity()));
  EMUD_ASSIGN(const auto names, architectures_to_probe(options, client));
  std::vector<Probe> probes;
  for (const auto& name : names) probes.push_back({name, bring_up(name, options, client)});
  EMUD_TRY(print(json ? as_json(probes) : as_text(probes, uses_colour(STDOUT_FILENO))));
  return std::ranges::all_of(probes, [](const Probe& one) { return one.outcome.has_value(); });
}

}  // namespace

void add_probe(CLI::App& app, Context& context) {
  const auto options = std::make_shared<RunOptions>();
  const auto json = std::make_shared<bool>(false);
  CLI::App* verb = app.add_subcommand("probe", "Prove that programs of other architectures run");
  verb->add_option("architectures", options->architectures,
                   "Architectures (default: all that are installed)")
      ->type_name("ARCH...");
  declare_engine_options(*verb, *options);
  verb->add_flag("--json", *json, "Print JSON");
  verb->add_flag("-v,--verbose", options->verbose, "Write each step");
  verb->footer("Exit status: 0 if all are ready, 3 if one is not, 1 or 2 if that cannot be told.");
  verb->callback([options, json, &context] {
    const auto ready = probe(context, *options, *json);
    context.status = ready ? (*ready ? 0 : not_ready) : finish(std::unexpected(ready.error()));
  });
}

}  // namespace emud::ctl
