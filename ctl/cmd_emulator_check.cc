// emuctl emulator verify, prune.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "ctl/emulator_verbs.h"
#include "ctl/engine.h"
#include "ctl/installed.h"
#include "ctl/output.h"
#include "ctl/own_store.h"

namespace emud::ctl {
namespace {

struct CheckOptions {
  bool rootless = false, json = false;
};

Result<std::vector<wire::CheckedEmulator>> checked(std::optional<Client>& client) {
  if (client) {
    EMUD_ASSIGN(auto reply, ask<wire::VerifyEmulatorsReply>(
                                *client, "io.emud.Manager.VerifyEmulators", wire::Nothing{}));
    return std::move(reply.emulators);
  }
  EMUD_ASSIGN(const OwnStore store, OwnStore::open());
  return store.verify();
}

std::string text_of(const wire::CheckedEmulator& one) {
  const std::string name =
      one.architecture ? fmt::format("{} QEMU {}", *one.architecture, one.version.value_or("?"))
                       : "unknown";
  if (!one.problem) return fmt::format("{} ({}): good\n", name, one.digest);
  std::string text = fmt::format("{} ({}): BAD: {}\n  moved to {}\n", name, one.digest,
                                 *one.problem, one.moved_to.value_or("nowhere"));
  if (!one.used_by.empty()) {
    text += fmt::format("  in use by {}\n", fmt::join(one.used_by, ", "));
  }
  return text;
}

std::string verified_json(const std::vector<wire::CheckedEmulator>& emulators) {
  std::string list;
  for (const auto& one : emulators) {
    list += fmt::format("{}{}", list.empty() ? "" : ",", wire::to_json(one));
  }
  return fmt::format("{{\"version\":1,\"emulators\":[{}]}}\n", list);
}

Result<> verify(const Context& context, const CheckOptions& options) {
  const EngineChoice choice{endpoint(context), "auto", options.rootless};
  EMUD_ASSIGN(std::optional<Client> client, choose_engine(choice, Verbosity::normal));
  EMUD_ASSIGN(const auto emulators, checked(client));
  std::string text;
  for (const auto& one : emulators) text += text_of(one);
  if (emulators.empty()) text = "no emulator is installed\n";
  EMUD_TRY(print(options.json ? verified_json(emulators) : text));
  const auto bad = std::ranges::count_if(
      emulators, [](const wire::CheckedEmulator& one) { return one.problem.has_value(); });
  if (bad == 0) return {};
  return fail(Errc::digest_mismatch, "verify", fmt::format("{} emulators", emulators.size()),
              fmt::format("{} changed and moved aside", bad),
              "Find out who changed what; then install it again with `emuctl emulator install`");
}

Result<> prune(const Context& context, const CheckOptions& options) {
  const EngineChoice choice{endpoint(context), "auto", options.rootless};
  EMUD_ASSIGN(std::optional<Client> client, choose_engine(choice, Verbosity::normal));
  std::vector<wire::Emulator> removed;
  if (client) {
    EMUD_ASSIGN(auto reply, ask<wire::PruneEmulatorsReply>(
                                *client, "io.emud.Manager.PruneEmulators", wire::Nothing{}));
    removed = std::move(reply.removed);
  } else {
    EMUD_ASSIGN(const OwnStore store, OwnStore::open());
    EMUD_ASSIGN(removed, store.prune());
  }
  if (options.json) return print(emulators_json(removed));
  std::string text = removed.empty() ? "nothing to remove\n" : "";
  for (const auto& one : removed) {
    text += fmt::format("{}: QEMU {} ({}) removed\n", one.architecture, one.version, one.digest);
  }
  return print(text);
}

using Verb = Result<> (*)(const Context&, const CheckOptions&);

CLI::App* add_verb(CLI::App& app, Context& context, const char* name, const char* help,
                   Verb function) {
  const auto options = std::make_shared<CheckOptions>();
  CLI::App* verb = app.add_subcommand(name, help);
  verb->add_flag("--rootless", options->rootless, "Your own store, without emud");
  verb->add_flag("--json", options->json, "Print JSON");
  verb->callback([=, &context] { context.status = finish(function(context, *options)); });
  return verb;
}

}  // namespace

void add_emulator_verify(CLI::App& app, Context& context) {
  add_verb(app, context, "verify",
           "Read all emulators again and move aside what changed (needs group emud, or --rootless)",
           verify)
      ->footer("Exit status: 0 if all are good, 1 if one was not.");
}

void add_emulator_prune(CLI::App& app, Context& context) {
  add_verb(app, context, "prune",
           "Remove all but the default ones, the machine's own and those in use (needs group emud, "
           "or --rootless)",
           prune);
}

}  // namespace emud::ctl
