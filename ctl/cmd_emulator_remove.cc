#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "base/paths.h"
#include "ctl/emulator_verbs.h"
#include "ctl/engine.h"
#include "ctl/installed.h"
#include "ctl/output.h"

namespace emud::ctl {
namespace {

struct RemoveOptions {
  std::string name;
  bool rootless = false, json = false;
};

constexpr std::size_t least_digest = 8;  // digits that name an emulator

bool is_named(const wire::Emulator& emulator, std::string_view name) {
  if (emulator.version == name) return true;
  return name.size() >= least_digest && emulator.digest.starts_with(name);
}

Result<std::vector<wire::Emulator>> named(const std::vector<wire::Emulator>& installed,
                                          std::string_view name) {
  std::vector<wire::Emulator> found;
  std::ranges::copy_if(installed, std::back_inserter(found),
                       [&](const auto& emulator) { return is_named(emulator, name); });
  if (!found.empty()) return found;
  return fail(Errc::not_found, "remove emulator", name,
              "no installed one has that digest or version", "See `emuctl emulator list`");
}

Result<> remove_one(std::optional<Client>& client, const std::string& digest) {
  if (client) {
    EMUD_TRY(client->call("io.emud.Manager.RemoveEmulator",
                          wire::to_json(wire::RemoveEmulatorCall{digest})));
    return {};
  }
  EMUD_ASSIGN(Paths paths, Paths::user());
  return Store{std::move(paths)}.remove(digest);
}

Result<> remove(const Context& context, const RemoveOptions& options) {
  const EngineChoice choice{endpoint(context), "auto", options.rootless};
  EMUD_ASSIGN(std::optional<Client> client, choose_engine(choice, Verbosity::normal));
  EMUD_ASSIGN(const auto installed, installed_emulators(client));
  EMUD_ASSIGN(const auto emulators, named(installed, options.name));
  for (const auto& emulator : emulators) {
    EMUD_TRY(remove_one(client, emulator.digest));
    if (options.json) continue;
    EMUD_TRY(print(fmt::format("{}: QEMU {} ({}) removed\n", emulator.architecture,
                               emulator.version, emulator.digest)));
  }
  return options.json ? print(emulators_json(emulators)) : Result<>{};
}

}  // namespace

void add_emulator_remove(CLI::App& app, Context& context) {
  const auto options = std::make_shared<RemoveOptions>();
  CLI::App* verb =
      app.add_subcommand("remove", "Remove emulators (needs group emud, or --rootless)");
  verb->add_option(
          "emulator", options->name,
          "A digest, or its first 8 or more digits, or a version: every one of that version")
      ->required()
      ->type_name("DIGEST|VERSION");
  verb->add_flag("--rootless", options->rootless, "From your own store, without emud");
  verb->add_flag("--json", options->json, "Print JSON: what was removed");
  verb->callback([options, &context] { context.status = finish(remove(context, *options)); });
}

}  // namespace emud::ctl
