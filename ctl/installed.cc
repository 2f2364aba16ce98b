#include "ctl/installed.h"

#include <fmt/format.h>

#include "base/paths.h"
#include "ctl/own_store.h"

namespace emud::ctl {

Result<std::vector<wire::Emulator>> installed_emulators(std::optional<Client>& client) {
  if (client) {
    EMUD_ASSIGN(const Answer answer, client->call("io.emud.Manager.GetStatus", "{}"));
    EMUD_ASSIGN(auto status, client->decode<wire::GetStatusReply>(answer.parameters));
    return std::move(status.emulators);
  }
  EMUD_ASSIGN(Paths paths, Paths::user());
  EMUD_ASSIGN(const auto manifests, Store{std::move(paths)}.list());
  return as_messages(manifests);
}

std::string emulators_json(const std::vector<wire::Emulator>& emulators) {
  std::string list;
  for (const auto& emulator : emulators) {
    list += fmt::format("{}{}", list.empty() ? "" : ",", wire::to_json(emulator));
  }
  return fmt::format("{{\"version\":1,\"emulators\":[{}]}}\n", list);
}

}  // namespace emud::ctl
