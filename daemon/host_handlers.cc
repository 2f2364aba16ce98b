#include "daemon/host_handlers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/file.h"
#include "base/log.h"
#include "daemon/host_probe.h"
#include "daemon/options.h"

namespace emud {

HostHold& HostHold::operator=(HostHold&& other) noexcept {
  std::swap(handlers_, other.handlers_);
  std::swap(architecture_, other.architecture_);
  std::swap(holder_, other.holder_);
  std::swap(emulator_, other.emulator_);
  return *this;
}

HostHold::~HostHold() {
  if (handlers_ != nullptr)
    handlers_->releases_.post(handlers_->release(architecture_, std::move(holder_)));
}

Task<void> HostHold::release() {
  if (auto* handlers = std::exchange(handlers_, nullptr))
    co_await handlers->release(architecture_, holder_);
}

HostHandlers::HostHandlers(const asio::any_io_executor& executor, Emulators& emulators,
                           Proofs& proofs, const Options& options, Events& events,
                           Activity& activity)
    : executor_(executor),
      emulators_(emulators),
      proofs_(proofs),
      options_(options),
      events_(events),
      activity_(activity),
      releases_(executor),
      retry_(executor) {
  if (auto created = HostWatch::create()) {
    watch_ = *std::move(created);
  } else {
    log(created.error());
  }
}

HostHandlers::Handler& HostHandlers::handler(const Architecture& architecture) {
  auto& entry = handlers_[std::string{architecture.name}];
  if (!entry) entry = std::make_unique<Handler>(executor_);
  entry->architecture = &architecture;
  return *entry;
}

Task<Result<HostHold>> HostHandlers::hold(const Architecture& architecture, std::string version,
                                          std::string holder) {
  Handler& state = handler(architecture);
  const auto guard = co_await state.mutex.lock();
  if (auto up = co_await bring_up(architecture, state, std::move(version)); !up) {
    co_return std::unexpected(std::move(up).error());
  }
  state.linger.cancel();
  state.holders.push_back(holder);
  UsedEmulator emulator{state.version, state.digest};
  co_return HostHold{*this, std::string{architecture.name}, std::move(holder), std::move(emulator)};
}

Task<Result<wire::Handler>> HostHandlers::pin(const Architecture& architecture, std::string version,
                                              bool persist) {
  Handler& state = handler(architecture);
  const auto guard = co_await state.mutex.lock();
  if (auto up = co_await bring_up(architecture, state, std::move(version)); !up) {
    co_return std::unexpected(std::move(up).error());
  }
  state.linger.cancel();
  const bool was_pinned = std::exchange(state.pinned, true);
  const bool was_persistent = std::exchange(state.persistent, state.persistent || persist);
  if (auto saved = save(state); !saved) {
    state.pinned = was_pinned;
    state.persistent = was_persistent;
    if (!was_persistent) (void)forget_persistence(state);  // it may be the one that was written
    if (!was_pinned && state.holders.empty()) {
      take_down(state);
    } else if (auto restored = save(state); !restored) {
      log(restored.error());
    }
    co_return std::unexpected(std::move(saved).error());
  }
  if (!was_pinned || was_persistent != state.persistent) {
    events_.publish(
        architecture_event(event_kind::handler_pinned, architecture.name,
                           fmt::format("{} stays until `emuctl unregister`{}", state.rule.name,
                                       state.persistent ? ", after a reboot too" : "")));
  }
  for (auto& entry : list()) {
    if (entry.architecture == architecture.name) co_return entry;
  }
  co_return fail(Errc::internal, "pin", architecture.name, "the handler is gone");
}

Task<Result<bool>> HostHandlers::unpin(const Architecture& architecture) {
  Handler& state = handler(architecture);
  const auto guard = co_await state.mutex.lock();
  if (!state.pinned) {
    co_return fail(Errc::not_found, "unregister", architecture.name,
                   "it is not registered by `emuctl register`", "`emuctl status` shows what is");
  }
  if (state.persistent) {
    if (auto forgotten = forget_persistence(state); !forgotten)
      co_return std::unexpected(std::move(forgotten).error());
  }
  state.persistent = false;
  if (!state.holders.empty()) {
    state.pinned = false;
    if (auto saved = save(state); !saved) {
      state.pinned = true;
      co_return std::unexpected(std::move(saved).error());
    }
  }
  events_.publish(architecture_event(event_kind::handler_unpinned, architecture.name,
                                     fmt::format("{} goes with its last lease", state.rule.name)));
  if (!state.holders.empty()) co_return false;
  take_down(state);
  if (state.must_go) co_return std::unexpected(*state.fault);
  co_return true;
}

// Under the handler's mutex. If it is up already, only whether it still stands is looked at.
Task<Result<void>> HostHandlers::bring_up(const Architecture& architecture, Handler& state,
                                          std::string version) {
  if (state.is_up) {
    const bool fits =
        version.empty() || state.version == version || state.version.starts_with(version + ".");
    if (fits) {
      heal_all();
      if (state.fault) co_return std::unexpected(*state.fault);
      co_return Result<void>{};
    }
    if (state.pinned || !state.holders.empty()) {
      co_return fail(
          Errc::busy, "use another emulator for", architecture.name,
          fmt::format("the host's handler is in use with QEMU {}", state.version),
          "Use --scope private, where each lease has its own, or wait until the others have ended");
    }
    take_down(state);  // it only lingers
  }
  auto emulator = co_await emulators_.get(architecture, std::move(version));
  if (!emulator) co_return std::unexpected(std::move(emulator).error());
  if (state.must_go) remove_entry(state, true);
  state.must_go = false;
  state.rule = make_rule(architecture, emulator->interpreter());
  state.version = emulator->manifest().version;
  state.digest = emulator->manifest().digest;
  state.emulator = *std::move(emulator);
  // Whatever ends this coroutine before the proof takes the handler down again.
  struct Undo {
    HostHandlers* self;
    Handler& state;
    bool armed = true;
    ~Undo() {
      if (armed) self->withdraw(state);
    }
  } undo{this, state};
  if (auto saved = save(state); !saved) co_return std::unexpected(std::move(saved).error());
  if (auto added = add(state); !added) co_return std::unexpected(std::move(added).error());
  const std::string name{architecture.name};
  if (!proofs_.has(name, state.digest, "host")) {
    if (auto proven = co_await probe_on_host(architecture); !proven)
      co_return std::unexpected(std::move(proven).error());
    proofs_.remember(name, state.digest, "host");
  }
  undo.armed = state.waits = false;
  state.is_proven = true;
  events_.publish(architecture_event(
      event_kind::handler_up, name,
      fmt::format("registered {} with QEMU {}", state.rule.name, state.version)));
  co_return Result<void>{};
}

// Registers, as the newest of all: the kernel takes the newest that matches.
Result<> HostHandlers::add(Handler& state) {
  EMUD_ASSIGN(Registry registry, Registry::open_host());
  EMUD_ASSIGN(const bool is_on, registry.is_on());
  if (!is_on) {
    return fail(Errc::not_supported, "register handler", state.rule.name,
                "binfmt_misc as a whole is switched off: somebody wrote 0 to its `status`",
                fmt::format("Switch it on again with `echo 1 > {}/status` as root; emud never does",
                            binfmt_misc_mount));
  }
  EMUD_TRY(registry.add(*state.architecture, *state.emulator));
  state.is_up = true;
  state.fault.reset();
  begin_watch();
  activity_.changed();
  EMUD_ASSIGN(const auto entries, registry.newest_first());
  if (standing_of(entries, *state.architecture, state.rule) == Standing::shadowed) {
    // It was there already, of an earlier emud.
    EMUD_TRY(registry.remove(state.rule));
    EMUD_TRY(registry.add(*state.architecture, *state.emulator));
  }
  tell_rivals(state, entries);
  return {};
}

void HostHandlers::take_down(Handler& state) {
  state.pinned = state.persistent = state.waits = false;
  withdraw(state);
}

void HostHandlers::withdraw(Handler& state) {
  const bool was_up = std::exchange(state.is_up, false);
  state.is_proven = false;
  state.linger.cancel();
  state.emulator.reset();
  if (!state.waits) state.fault.reset();
  state.pace = {};
  state.healed = 0;
  remove_entry(state, was_up);
  if (was_up && !state.must_go) {
    events_.publish(architecture_event(event_kind::handler_down, state.architecture->name,
                                       fmt::format("removed {}", state.rule.name)));
  }
  if (!has_handlers()) end_watch();
  activity_.changed();
}

// What cannot be removed now is tried again later, and left to the next emud if all fails. What is
// not emud's stays.
void HostHandlers::remove_entry(Handler& state, bool may_stand) {
  const auto removed = [&]() -> Result<> {
    if (!may_stand) return {};
    EMUD_ASSIGN(Registry registry, Registry::open_host());
    auto gone = registry.remove(state.rule);
    if (gone || gone.error().code != Errc::busy) return gone;
    log(gone.error());
    return {};
  }();
  auto done = removed ? forget_record(state) : removed;
  state.must_go = !done;
  if (done) return;
  state.fault = done.error();
  const auto now = HealPace::Clock::now();
  if (state.pace.attempted(now, false)) log(*state.fault);
  retry_at(state.pace.due(now));
}

Task<void> HostHandlers::release(std::string architecture, std::string holder) {
  Handler& state = *handlers_.at(architecture);
  const auto guard = co_await state.mutex.lock();
  if (const auto held = std::ranges::find(state.holders, holder); held != state.holders.end())
    state.holders.erase(held);
  if (!state.holders.empty() || state.pinned || (!state.is_up && !state.waits)) co_return;
  if (options_.linger_seconds == 0 || state.waits) {
    take_down(state);
  } else {
    spawn(executor_, linger(state));
  }
}

// A hold or a pin cancels it.
Task<void> HostHandlers::linger(Handler& state) {
  state.linger.expires_after(std::chrono::seconds{options_.linger_seconds});
  boost::system::error_code interrupted;
  co_await state.linger.async_wait(asio::redirect_error(asio::use_awaitable, interrupted));
  if (interrupted) co_return;
  const auto guard = co_await state.mutex.lock();
  if (state.holders.empty() && !state.pinned && state.is_up) take_down(state);
}

void HostHandlers::end_lingering() {
  for (const auto& [name, state] : handlers_) {
    if (!state->is_up || state->pinned || !state->holders.empty()) continue;
    state->linger.cancel();
    take_down(*state);
  }
}

HostHold HostHandlers::adopt(const Architecture& architecture, const std::string& holder) {
  handler(architecture).holders.push_back(holder);
  return HostHold{*this, std::string{architecture.name}, holder, {}};
}

std::vector<wire::Handler> HostHandlers::list() const {
  std::vector<wire::Handler> result;
  for (const auto& [name, state] : handlers_) {
    if (!state->is_up && !state->waits) continue;
    wire::Handler shown;
    shown.architecture = name;
    shown.name = state->rule.name;
    shown.interpreter = state->rule.interpreter;
    shown.flags = state->rule.flags;
    shown.version = state->version;
    shown.digest = state->digest;
    if (state->fault) {
      shown.state = "lost";
      shown.reason = state->fault->message();
    } else if (!is_on_) {
      shown.state = "lost";
      shown.reason = "binfmt_misc as a whole is switched off";
    } else if (!state->is_proven) {
      shown.state = "bringing_up";
    } else {
      shown.state = state->holders.empty() && !state->pinned ? "lingering" : "ready";
    }
    shown.leases = static_cast<std::int64_t>(state->holders.size());
    shown.pinned = state->pinned;
    shown.persistent = state->persistent;
    shown.healed = state->healed;
    result.push_back(std::move(shown));
  }
  return result;
}

std::vector<std::string> HostHandlers::pinned() const {
  std::vector<std::string> names;
  for (const auto& [name, state] : handlers_) {
    if (state->pinned) names.push_back(name);
  }
  return names;
}

bool HostHandlers::has_handlers() const {
  return std::ranges::any_of(handlers_, [](const auto& entry) {
    return entry.second->is_up || entry.second->must_go || entry.second->waits;
  });
}

}  // namespace emud
