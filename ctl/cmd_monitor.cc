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

Result<> monitor(const Context& context, bool json) {
  EMUD_ASSIGN(Client client, Client::connect(endpoint(context).path));
  const bool colour = uses_colour(STDOUT_FILENO);
  const auto show = [&](const std::string& parameters) -> Result<> {
    EMUD_ASSIGN(const auto reply, client.decode<wire::MonitorReply>(parameters));
    client.wait_for_ever();  // emud has answered: from now on silence means that nothing happens
    if (json) {
      return print(fmt::format("{{\"version\":1,\"event\":{}}}\n", wire::to_json(reply.event)));
    }
    return print(event_text(reply.event, colour));
  };
  EMUD_TRY(client.call_more("io.emud.Manager.Monitor", "{}", {}, show));
  return fail(Errc::protocol, "watch", "emud", "it ended the stream of events",
              "Look into emud's log (`journalctl -u emud`) and start again");
}

}  // namespace

void add_monitor(CLI::App& app, Context& context) {
  const auto json = std::make_shared<bool>(false);
  CLI::App* verb =
      app.add_subcommand("monitor", "Show what happens in emud, as it happens, until Ctrl-C");
  verb->add_flag("--json", *json, "Print one JSON object a line");
  verb->footer(
      "JSON: {\"version\":1,\"event\":{...}} with the members of io.emud.Manager's type Event: "
      "time "
      "(microseconds since 1970), kind, text, and where they apply architecture, architectures, "
      "lease, scope, "
      "uid, "
      "pid, lost. Kinds and members may be added within a version.");
  verb->callback([json, &context] { context.status = finish(monitor(context, *json)); });
}

}  // namespace emud::ctl
