#include "ctl/installed.h"

#include <fmt/format.h>

#include "base/paths.h"

namespace emud::ctl {

wire::Emulator as_message(const Manifest& manifest) {
  return {.architecture = manifest.architecture,
          .version = manifest.version,
          .digest = manifest.digest,
          .source = manifest.source,
          .installed = manifest.installed};
}

Result<std::vector<wire::Emulator>> installed_emulators(std::optional<Client>& client) {
  if (client) {
    EMUD_ASSIGN(const Answer answer, client->call("io.emud.Manager.GetStatus", "{}"));
    EMUD_ASSIGN(auto status, client->decode<wire::GetStatusReply>(answer.parameters));
    return std::move(status.emulators);
  }
  EMUD_ASSIGN(Paths paths, Paths::user());
  EMUD_ASSIGN(const auto manifests, Store{std::move(paths)}.list());
  std::vector<wire::Emulator> emulators;
  for (const auto& manifest : manifests) emulators.push_back(as_message(manifest));
  return emulators;
}

std::string emulators_json(const std::vector<wire::Emulator>& emulators) {
  std::string list;
  for (const auto& emulator : emulators) {
    list += fmt::format("{}{}", list.empty() ? "" : ",", wire::to_json(emulator));
  }
  return fmt::format("{{\"version\":1,\"emulators\":[{}]}}\n", list);
}

}  // namespace emud::ctl
