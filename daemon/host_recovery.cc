// HostHandlers' records: written before an entry is registered, read when emud starts.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/log.h"
#include "binfmt/registry.h"
#include "daemon/host_handlers.h"

namespace emud {
namespace {

constexpr std::string_view suffix = ".json";

// Records by architecture; the runtime one wins over the persistent one of a pin.
std::map<std::string, std::string> read_records(const Paths& paths) {
  std::map<std::string, std::string> records;
  for (const auto& directory : {paths.handlers(), paths.persistent_pins()}) {
    const auto names = list_directory(AT_FDCWD, directory);
    if (!names) continue;
    for (const auto& name : *names) {
      if (!name.ends_with(suffix)) continue;
      const auto text = read_file(fmt::format("{}/{}", directory, name));
      if (text) records.emplace(name.substr(0, name.size() - suffix.size()), *text);
    }
  }
  return records;
}

}  // namespace

Result<> HostHandlers::save(const std::string& architecture, const Handler& state) {
  const std::string text = nlohmann::json{
      {"interpreter", state.rule.interpreter},
      {"version", state.version},
      {"digest", state.digest},
      {"pinned", state.pinned},
      {"persistent",
       state.persistent}}.dump();
  const auto write = [&](const std::string& path, Durability durability) -> Result<> {
    EMUD_ASSIGN(const UniqueFd directory, make_directories(path, 0755));
    return replace_file(directory.get(), architecture + std::string{suffix}, text, 0644,
                        durability);
  };
  EMUD_TRY(write(paths_.handlers(), Durability::until_reboot));
  if (state.persistent) EMUD_TRY(write(paths_.persistent_pins(), Durability::durable));
  return {};
}

Task<void> HostHandlers::recover(std::vector<std::string> held) {
  for (const auto& [name, text] : read_records(paths_)) {
    const auto architecture = find_architecture(name);
    if (!architecture) {
      log(architecture.error());
      continue;
    }
    const bool is_held = std::ranges::find(held, name) != held.end();
    if (auto done = co_await recover_one(**architecture, text, is_held); !done) log(done.error());
  }
}

Task<Result<void>> HostHandlers::recover_one(const Architecture& architecture, std::string text,
                                             bool is_held) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) {
    co_return fail(Errc::system, "read", fmt::format("the record of handler {}", architecture.name),
                   "it is not JSON",
                   fmt::format("Remove {}/{}.json", paths_.handlers(), architecture.name));
  }
  const std::string name{architecture.name};
  Handler& state = handler(name);
  const auto guard = co_await state.mutex.lock();
  state.rule = make_rule(architecture, json.value("interpreter", ""));
  const std::string version = json.value("version", "");
  const bool pinned = json.value("pinned", false);
  if (!pinned && !is_held) {
    take_down(name, state);
    co_return Result<void>{};
  }
  auto up = co_await bring_up(architecture, state, version);
  if (!up) co_return up;
  state.pinned = pinned;
  state.persistent = json.value("persistent", false);
  co_return save(name, state);
}

}  // namespace emud
