#include "daemon/host_handlers.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/file.h"
#include "base/log.h"
#include "binfmt/registry.h"
#include "daemon/host_probe.h"

namespace emud {

HostHold& HostHold::operator=(HostHold&& other) noexcept {
  std::swap(handlers_, other.handlers_);
  std::swap(architecture_, other.architecture_);
  return *this;
}

HostHold::~HostHold() {
  if (handlers_ != nullptr) handlers_->post_release(architecture_);
}

Task<void> HostHold::release() {
  if (auto* handlers = std::exchange(handlers_, nullptr)) co_await handlers->release(architecture_);
}

HostHandlers::HostHandlers(const asio::any_io_executor& executor, Emulators& emulators,
                           Proofs& proofs, const Paths& paths)
    : executor_(executor),
      emulators_(emulators),
      proofs_(proofs),
      paths_(paths),
      drained_(
          std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max())) {}

HostHandlers::Handler& HostHandlers::handler(std::string_view architecture) {
  auto& entry = handlers_[std::string{architecture}];
  if (!entry) entry = std::make_unique<Handler>(executor_);
  return *entry;
}

Task<Result<HostHold>> HostHandlers::hold(const Architecture& architecture, std::string version) {
  Handler& state = handler(architecture.name);
  const auto guard = co_await state.mutex.lock();
  if (auto up = co_await bring_up(architecture, state, std::move(version)); !up) {
    co_return std::unexpected(std::move(up).error());
  }
  ++state.leases;
  co_return HostHold{*this, std::string{architecture.name}};
}

Task<Result<wire::Handler>> HostHandlers::pin(const Architecture& architecture, std::string version,
                                              bool persist) {
  Handler& state = handler(architecture.name);
  const std::string name{architecture.name};
  const auto guard = co_await state.mutex.lock();
  if (auto up = co_await bring_up(architecture, state, std::move(version)); !up) {
    co_return std::unexpected(std::move(up).error());
  }
  state.pinned = true;
  state.persistent = state.persistent || persist;
  if (auto saved = save(name, state); !saved) {
    if (state.leases == 0) take_down(name, state);
    co_return std::unexpected(std::move(saved).error());
  }
  for (auto& entry : list()) {
    if (entry.architecture == name) co_return entry;
  }
  co_return fail(Errc::internal, "pin", name, "the handler is gone");
}

Task<Result<bool>> HostHandlers::unpin(const Architecture& architecture) {
  Handler& state = handler(architecture.name);
  const std::string name{architecture.name};
  const auto guard = co_await state.mutex.lock();
  if (!state.pinned) {
    co_return fail(Errc::not_found, "unregister", name, "it is not registered by `emuctl register`",
                   "`emuctl status` shows what is");
  }
  state.pinned = state.persistent = false;
  ::unlink(fmt::format("{}/{}.json", paths_.persistent_pins(), name).c_str());
  if (state.leases > 0) {
    if (auto saved = save(name, state); !saved) co_return std::unexpected(std::move(saved).error());
    co_return false;
  }
  take_down(name, state);
  co_return true;
}

// Under the handler's mutex. If it is up already, only whether it still stands is looked at.
Task<Result<void>> HostHandlers::bring_up(const Architecture& architecture, Handler& state,
                                          std::string version) {
  if (state.is_up) {
    if (!version.empty() && state.version != version && !state.version.starts_with(version + ".")) {
      co_return fail(
          Errc::busy, "use another emulator for", architecture.name,
          fmt::format("the host's handler is in use with QEMU {}", state.version),
          "Use --scope private, where each lease has its own, or wait until the others have ended");
    }
    co_return put_back(architecture, state);
  }
  auto emulator = co_await emulators_.get(architecture, std::move(version));
  if (!emulator) co_return std::unexpected(std::move(emulator).error());
  state.rule = make_rule(architecture, emulator->path());
  state.version = emulator->manifest().version;
  state.digest = emulator->manifest().digest;
  const std::string name{architecture.name};
  if (auto saved = save(name, state); !saved) co_return std::unexpected(std::move(saved).error());

  // Whatever ends this coroutine before the proof takes the handler down again.
  struct Undo {
    HostHandlers* self;
    const std::string& name;
    Handler& state;
    bool armed = true;
    ~Undo() {
      if (armed) self->take_down(name, state);
    }
  } undo{this, name, state};
  auto registry = Registry::open_host();
  if (!registry) co_return std::unexpected(std::move(registry).error());
  if (auto added = registry->add(architecture, *emulator); !added)
    co_return std::unexpected(std::move(added).error());
  state.is_up = true;
  if (!proofs_.has(name, state.digest, "host")) {
    if (auto proven = co_await probe_on_host(architecture); !proven)
      co_return std::unexpected(std::move(proven).error());
    proofs_.remember(name, state.digest, "host");
  }
  undo.armed = false;
  log(Level::notice, fmt::format("registered {} with QEMU {}", state.rule.name, state.version));
  co_return Result<void>{};
}

// Another tool may have removed it meanwhile.
Result<> HostHandlers::put_back(const Architecture& architecture, const Handler& state) {
  EMUD_ASSIGN(Registry registry, Registry::open_host());
  const auto entry = registry.inspect(state.rule.name);
  if (entry && is_same(*entry, state.rule) && entry->enabled) return {};
  EMUD_ASSIGN(const VerifiedEmulator emulator,
              emulators_.store().find(architecture, state.version));
  EMUD_TRY(registry.add(architecture, emulator));
  log(Level::warning, fmt::format("put {} back: somebody had removed it", state.rule.name));
  return {};
}

void HostHandlers::take_down(const std::string& architecture, Handler& state) {
  if (auto registry = Registry::open_host()) {
    if (auto removed = registry->remove(state.rule); !removed) {
      log(removed.error());
    } else if (state.is_up) {
      log(Level::notice, fmt::format("removed {}", state.rule.name));
    }
  }
  ::unlink(fmt::format("{}/{}.json", paths_.handlers(), architecture).c_str());
  state.is_up = state.pinned = state.persistent = false;
}

Task<void> HostHandlers::release(std::string architecture) {
  Handler& state = handler(architecture);
  const auto guard = co_await state.mutex.lock();
  if (--state.leases == 0 && !state.pinned && state.is_up) take_down(architecture, state);
}

void HostHandlers::post_release(std::string architecture) {
  ++posted_;
  asio::co_spawn(executor_, release(std::move(architecture)), [this](const std::exception_ptr&) {
    if (--posted_ == 0) drained_->cancel();
  });
}

Task<void> HostHandlers::drain() {
  boost::system::error_code ignored;
  while (posted_ > 0)
    co_await drained_->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

HostHold HostHandlers::adopt(const std::string& architecture) {
  ++handler(architecture).leases;
  return HostHold{*this, architecture};
}

std::vector<wire::Handler> HostHandlers::list() const {
  std::vector<wire::Handler> result;
  for (const auto& [name, state] : handlers_) {
    if (!state->is_up) continue;
    result.push_back({.architecture = name,
                      .name = state->rule.name,
                      .interpreter = state->rule.interpreter,
                      .flags = state->rule.flags,
                      .version = state->version,
                      .digest = state->digest,
                      .leases = state->leases,
                      .pinned = state->pinned,
                      .persistent = state->persistent});
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

}  // namespace emud
