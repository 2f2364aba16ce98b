#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <memory>

#include "ctl/client.h"
#include "ctl/context.h"
#include "ctl/output.h"
#include "ctl/status_text.h"

namespace emud::ctl {
namespace {

Result<> status(const Context& context, bool json) {
  EMUD_ASSIGN(Client client, Client::connect(endpoint(context).path));
  EMUD_ASSIGN(const Answer answer, client.call("io.emud.Manager.GetStatus", "{}"));
  EMUD_ASSIGN(const auto reply, client.decode<wire::GetStatusReply>(answer.parameters));
  if (json) return print(fmt::format("{{\"version\":1,\"status\":{}}}\n", wire::to_json(reply)));
  return print(status_text(reply, std::time(nullptr), uses_colour(STDOUT_FILENO)));
}

}  // namespace

void add_status(CLI::App& app, Context& context) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* verb =
      app.add_subcommand("status", "Show kernel support, handlers, leases and emulators");
  verb->add_flag("--json", *json, "Print JSON");
  verb->callback([json, &context] { context.status = finish(status(context, *json)); });
}

}  // namespace emud::ctl
