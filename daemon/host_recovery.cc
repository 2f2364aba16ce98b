// HostHandlers' records: written before an entry is registered, read when emud starts.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/log.h"
#include "daemon/host_handlers.h"
#include "daemon/options.h"

namespace emud {
namespace {

constexpr std::string_view suffix = ".json";
constexpr std::string_view name_prefix = "emud-";

struct HandlerRecord {
  std::string interpreter, version, digest;
  bool pinned = false;
  bool persistent = false;
};

Result<HandlerRecord> parse_record(const std::string& path, const std::string& text) {
  try {
    const auto json = nlohmann::json::parse(text);
    HandlerRecord record;
    json.at("interpreter").get_to(record.interpreter);
    json.at("version").get_to(record.version);
    json.at("digest").get_to(record.digest);
    json.at("pinned").get_to(record.pinned);
    json.at("persistent").get_to(record.persistent);
    return record;
  } catch (const nlohmann::json::exception& error) {
    return fail(Errc::system, "read the handler's record", path, error.what(), "Remove the file");
  }
}

// By architecture; the runtime one wins over the persistent one of a pin.
std::map<std::string, HandlerRecord> read_records(const Paths& paths) {
  std::map<std::string, HandlerRecord> records;
  for (const auto& directory : {paths.handlers(), paths.persistent_pins()}) {
    const auto names = list_directory(AT_FDCWD, directory);
    if (!names) {
      if (names.error().code != Errc::not_found) log(names.error());
      continue;
    }
    for (const auto& name : *names) {
      if (!name.ends_with(suffix)) continue;
      const std::string path = fmt::format("{}/{}", directory, name);
      const auto text = read_file(path);
      if (!text) {
        log(text.error());
        continue;
      }
      if (auto record = parse_record(path, *text)) {
        records.emplace(name.substr(0, name.size() - suffix.size()), *std::move(record));
      } else {
        log(record.error());
      }
    }
  }
  return records;
}

// A record that stays would bring its handler back.
Result<> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return fail_errno("remove record", path, "Remove the file, or emud's next start brings it back");
}

}  // namespace

Result<> HostHandlers::save(const Handler& state) {
  const std::string text = nlohmann::json{
      {"interpreter", state.rule.interpreter},
      {"version", state.version},
      {"digest", state.digest},
      {"pinned", state.pinned},
      {"persistent",
       state.persistent}}.dump();
  const auto write = [&](const std::string& path, Durability durability) -> Result<> {
    EMUD_ASSIGN(const UniqueFd directory, make_directories(path, 0755));
    return replace_file(directory.get(),
                        std::string{state.architecture->name} + std::string{suffix}, text, 0644,
                        durability);
  };
  EMUD_TRY(write(options_.paths.handlers(), Durability::until_reboot));
  if (state.persistent) EMUD_TRY(write(options_.paths.persistent_pins(), Durability::durable));
  return {};
}

Result<> HostHandlers::forget_record(const Handler& state) {
  if (state.pinned) return {};
  return remove_file(
      fmt::format("{}/{}{}", options_.paths.handlers(), state.architecture->name, suffix));
}

Result<> HostHandlers::forget_persistence(const Handler& state) {
  return remove_file(
      fmt::format("{}/{}{}", options_.paths.persistent_pins(), state.architecture->name, suffix));
}

Task<void> HostHandlers::recover() {
  for (const auto& [name, record] : read_records(options_.paths)) {
    const auto architecture = find_architecture(name);
    if (!architecture) {
      log(architecture.error());
      continue;
    }
    Handler& state = handler(**architecture);
    const auto guard = co_await state.mutex.lock();
    state.rule = make_rule(**architecture, record.interpreter);
    state.version = record.version;
    state.digest = record.digest;
    if (!record.pinned && state.holders.empty()) {
      state.is_up = true;  // it may be
      take_down(state);
      continue;
    }
    state.pinned = record.pinned;
    state.persistent = record.persistent;
    co_await stand_up_or_wait(state);
  }
  remove_stale_entries();
}

// Under the handler's mutex. What cannot stand now is shown as lost and tried again.
Task<void> HostHandlers::stand_up_or_wait(Handler& state) {
  HealPace pace = state.pace;  // of which a failed attempt makes a new one
  auto up = co_await stand_up(state);
  if (up) up = save(state);
  if (up) co_return;
  if (state.is_up) co_return log(up.error());  // it stands; only its record is not as it should be
  state.waits = true;
  state.pace = pace;
  const auto now = HealPace::Clock::now();
  if (state.pace.attempted(now, false)) {
    events_.publish(fault_event(fmt::format("handler {} of an earlier emud does not come back: {}",
                                            state.architecture->name, up.error().message())));
  }
  state.fault = std::move(up).error();
  retry_at(state.pace.due(now));
}

Task<void> HostHandlers::stand_up_waiting() {
  for (const auto& [name, state] : handlers_) {
    if (!state->waits) continue;
    const auto guard = co_await state->mutex.lock();
    if (state->waits) co_await stand_up_or_wait(*state);
  }
}

// Under the handler's mutex. One that stands stays as it is, so that nobody who uses it notices.
Task<Result<void>> HostHandlers::stand_up(Handler& state) {
  const Architecture& architecture = *state.architecture;
  auto emulator = co_await emulators_.get(architecture, state.version);
  bool stands = false;
  if (const auto registry = Registry::look_at_host()) {
    const auto entry = registry->inspect(state.rule.name);
    stands = entry && is_same(*entry, state.rule);
  }
  if (!stands) co_return co_await bring_up(architecture, state, state.version);
  state.is_up = state.is_proven = true;
  state.waits = false;
  state.fault.reset();
  if (emulator && emulator->interpreter() == state.rule.interpreter) {
    state.emulator = *std::move(emulator);
  } else {
    log(Level::warning, fmt::format("{} stands, but its emulator {} is not in the store any more: "
                                    "it could not be put back",
                                    state.rule.name, state.rule.interpreter));
  }
  begin_watch();
  heal_all();
  co_return Result<void>{};
}

// Entries of this emud's making whose record is lost: they have an emulator of its store.
void HostHandlers::remove_stale_entries() {
  auto registry = Registry::look_at_host();
  if (!registry) return;
  const auto entries = registry->list();
  if (!entries) return;
  for (const Entry& entry : *entries) {
    if (!entry.name.starts_with(name_prefix) ||
        !entry.interpreter.starts_with(options_.paths.store() + "/")) {
      continue;
    }
    const auto architecture = find_architecture(entry.name.substr(name_prefix.size()));
    if (!architecture) continue;
    const auto own = handlers_.find((*architecture)->name);
    if (own != handlers_.end() && own->second->is_up) continue;
    log(Level::notice, fmt::format("removing {}, of which there is no record", entry.name));
    const Rule rule = make_rule(**architecture, entry.interpreter, entry.flags.contains('C'));
    if (auto removed = registry->remove(rule); !removed) log(removed.error());
  }
}

}  // namespace emud
