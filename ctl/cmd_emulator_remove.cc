#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "ctl/emulator_verbs.h"
#include "ctl/engine.h"
#include "ctl/installed.h"
#include "ctl/output.h"
#include "ctl/own_store.h"
#include "emulator/version.h"

namespace emud::ctl {
namespace {

struct RemoveOptions {
  std::vector<std::string> names;
  bool rootless = false, json = false;
};

constexpr std::size_t least_digest = 8;  // digits that name an emulator

bool is_named(const wire::Emulator& emulator, const std::string& name) {
  if (!name.empty() && version_matches(emulator.version, name)) return true;
  return name.size() >= least_digest && emulator.digest.starts_with(name);
}

Failure not_there(const std::string& name, const std::vector<wire::Emulator>& elsewhere) {
  constexpr std::string_view hint = "See `emuctl emulator list`; nothing was removed";
  const bool is_elsewhere = std::ranges::any_of(
      elsewhere, [&](const wire::Emulator& emulator) { return is_named(emulator, name); });
  return fail(Errc::not_found, "remove emulator", name,
              is_elsewhere ? "it is in the system's store, which only emud changes"
                           : "no installed one has that digest or version",
              hint);
}

// All that the names mean, each once. Every name must mean something.
Result<std::vector<wire::Emulator>> named(const std::vector<wire::Emulator>& installed,
                                          const std::vector<std::string>& names,
                                          const std::vector<wire::Emulator>& elsewhere) {
  std::vector<wire::Emulator> found;
  for (const std::string& name : names) {
    bool is_there = false;
    for (const wire::Emulator& emulator : installed) {
      if (!is_named(emulator, name)) continue;
      is_there = true;
      const auto known = std::ranges::find(found, emulator.digest, &wire::Emulator::digest);
      if (known == found.end()) found.push_back(emulator);
    }
    if (!is_there) return not_there(name, elsewhere);
  }
  return found;
}

std::string described(const wire::Emulator& emulator) {
  return fmt::format("{}: QEMU {} ({})", emulator.architecture, emulator.version, emulator.digest);
}

// The error says what else it knows about the emulator whose digest it names.
Failure naming(Error error, const std::vector<wire::Emulator>& emulators) {
  const auto culprit = std::ranges::find(emulators, error.object, &wire::Emulator::digest);
  if (culprit != emulators.end()) error.object = described(*culprit);
  return Failure{std::move(error)};
}

// What was removed: all that the names mean, or nothing.
Result<std::vector<wire::Emulator>> remove_through_daemon(Client& client,
                                                          const std::vector<std::string>& names) {
  EMUD_ASSIGN(const Answer answer, client.call("io.emud.Manager.GetStatus", "{}"));
  EMUD_ASSIGN(const auto status, client.decode<wire::GetStatusReply>(answer.parameters));
  EMUD_ASSIGN(auto emulators, named(status.emulators, names, {}));
  wire::RemoveEmulatorCall call{.digest = emulators.front().digest, .more = {}};
  if (emulators.size() > 1) call.more.emplace();
  for (std::size_t i = 1; i < emulators.size(); ++i) call.more->push_back(emulators[i].digest);
  const auto removed = client.call("io.emud.Manager.RemoveEmulator", wire::to_json(call));
  if (!removed) return naming(removed.error(), emulators);
  return emulators;
}

Result<std::vector<wire::Emulator>> remove_from_own_store(const std::vector<std::string>& names) {
  EMUD_ASSIGN(const OwnStore own, OwnStore::open());
  EMUD_ASSIGN(const auto all, own.store.list());
  Paths only_own = own.paths;
  only_own.system_store.clear();
  EMUD_ASSIGN(const auto installed, Store{std::move(only_own)}.list());
  EMUD_ASSIGN(auto emulators, named(as_messages(installed), names, as_messages(all)));
  std::vector<std::string> digests;
  for (const wire::Emulator& emulator : emulators) digests.push_back(emulator.digest);
  if (auto taken = own.store.take_out(digests); !taken) return naming(taken.error(), emulators);
  EMUD_TRY(own.store.sweep());
  return emulators;
}

Result<> remove(const Context& context, const RemoveOptions& options) {
  const EngineChoice choice{endpoint(context), "auto", options.rootless};
  EMUD_ASSIGN(std::optional<Client> client, choose_engine(choice, Verbosity::normal));
  EMUD_ASSIGN(const auto removed, client ? remove_through_daemon(*client, options.names)
                                         : remove_from_own_store(options.names));
  if (options.json) return print(emulators_json(removed));
  std::string text;
  for (const wire::Emulator& emulator : removed) text += described(emulator) + " removed\n";
  return print(text);
}

}  // namespace

void add_emulator_remove(CLI::App& app, Context& context) {
  const auto options = std::make_shared<RemoveOptions>();
  CLI::App* verb =
      app.add_subcommand("remove", "Remove emulators (needs group emud, or --rootless)");
  verb->add_option("emulators", options->names,
                   "A digest, or its first 8 or more digits, or a version: every one of that "
                   "version. All of them or none")
      ->required()
      ->type_name("DIGEST|VERSION...");
  verb->add_flag("--rootless", options->rootless, "From your own store, without emud");
  verb->add_flag("--json", options->json, "Print JSON: what was removed");
  verb->callback([options, &context] { context.status = finish(remove(context, *options)); });
}

}  // namespace emud::ctl
