// HostHandlers and the other programs that use the host's binfmt_misc: emud's entries are put back
// when somebody removes them, and nobody else's are touched.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "base/log.h"
#include "daemon/host_handlers.h"

namespace emud {
namespace {

using Clock = HealPace::Clock;

std::string_view what_happened(Standing standing) {
  switch (standing) {
    case Standing::missing:
      return "another program removed it";
    case Standing::disabled:
      return "another program switched it off";
    case Standing::shadowed:
      return "another program registered a newer entry for the same programs";
    case Standing::replaced:
      return "another program registered something else under its name";
    case Standing::good:
      break;
  }
  return "nothing happened to it";
}

Result<> restore(Registry& registry, const Rule& rule, const Architecture& architecture,
                 const std::optional<VerifiedEmulator>& emulator, Standing standing) {
  if (standing == Standing::disabled) return registry.enable(rule);
  if (standing == Standing::replaced) {
    return fail(Errc::exists, "put back", rule.name,
                "there is an entry of its name with other content, which is not emud's",
                fmt::format("Look at {}/{} and remove it if nobody needs it", binfmt_misc_mount,
                            rule.name));
  }
  if (!emulator) {
    return fail(Errc::not_found, "put back", rule.name,
                fmt::format("its emulator {} is not in the store any more", rule.interpreter),
                "Install it again: `emuctl emulator install`");
  }
  if (standing == Standing::shadowed) EMUD_TRY(registry.remove(rule));
  EMUD_TRY(registry.add(architecture, *emulator));
  return {};
}

// Those who lost it, for the journal.
std::string losers(const std::vector<std::string>& holders, bool pinned) {
  std::vector<std::string> names = holders;
  if (pinned) names.emplace_back("`emuctl register`");
  if (names.empty()) return "nobody at the moment";
  return fmt::format("{}", fmt::join(names, ", "));
}

// While there is something to put back, emud goes before all that is not real-time: on a machine
// whose processors builds keep busy it would wait some milliseconds else, and whatever starts
// meanwhile fails. Children start without (SCHED_RESET_ON_FORK, which only the privileged take off
// again: sched(7)). Where that is not allowed, nothing changes.
void go_first(bool yes) {
  const sched_param parameters{.sched_priority = yes ? 1 : 0};
  ::sched_setscheduler(0, (yes ? SCHED_RR : SCHED_OTHER) | SCHED_RESET_ON_FORK, &parameters);
}

}  // namespace

void HostHandlers::begin_watch() {
  go_first(true);
  if (!watch_) return;
  if (const auto begun = watch_->begin(); !begun) log(begun.error());
}

void HostHandlers::end_watch() {
  go_first(false);
  if (watch_) watch_->end();
}

Task<void> HostHandlers::watch() {
  if (!watch_) co_return;
  FdWaiter changed{executor_, watch_->fd()};
  for (;;) {
    co_await changed.readable();
    watch_->take();
    heal_all();
  }
}

// What is missing comes first: until it is back, programs fail to start.
void HostHandlers::heal_all() {
  for (const auto& [name, state] : handlers_) {
    if (state->must_go && state->pace.due(Clock::now()) <= Clock::now()) remove_entry(*state, true);
  }
  if (!has_handlers()) return;
  auto registry = Registry::open_host();  // mounts it again if somebody unmounted it
  if (!registry) {
    for (const auto& [name, state] : handlers_) {
      if (state->is_up) cannot_heal(*state, registry.error());
    }
    return;
  }
  if (watch_ && !watch_->is_watching()) begin_watch();
  for (const auto& [name, state] : handlers_) {
    if (!state->is_up) continue;
    const auto entry = registry->inspect(state->rule.name);
    if (!entry && entry.error().code == Errc::not_found) heal(*state, Standing::missing, *registry);
  }
  look_at_status(*registry);
  const auto entries = registry->newest_first();
  if (!entries) return log(entries.error());
  for (const auto& [name, state] : handlers_) {
    if (!state->is_up) continue;
    const Standing standing = standing_of(*entries, *state->architecture, state->rule);
    if (standing == Standing::missing) continue;  // dealt with, or to wait
    if (standing != Standing::good) {
      heal(*state, standing, *registry);
    } else if (state->fault) {
      state->fault.reset();
      events_.publish(architecture_event(event_kind::handler_healed, name,
                                         fmt::format("{} stands again", state->rule.name)));
    }
  }
}

void HostHandlers::heal(Handler& state, Standing standing, Registry& registry) {
  const auto now = Clock::now();
  if (const auto due = state.pace.due(now); due > now) return heal_later(state, due);
  const auto done = restore(registry, state.rule, *state.architecture, state.emulator, standing);
  const bool is_worth_telling = state.pace.attempted(now, done.has_value());
  const bool is_new_fault =
      !done && (!state.fault || state.fault->message() != done.error().message());
  const std::string repeated =
      state.pace.row() > 1
          ? fmt::format(" ({} times in {:.1f} s)", state.pace.row(),
                        std::chrono::duration<double>{state.pace.row_length()}.count())
          : "";
  if (is_worth_telling || is_new_fault) {
    events_.publish(architecture_event(
        event_kind::handler_lost, state.architecture->name,
        fmt::format(
            "{} was lost: {}{}; it is needed by {}{}", state.rule.name, what_happened(standing),
            repeated, losers(state.holders, state.pinned),
            done ? "" : fmt::format("; it cannot be put back: {}", done.error().message()))));
  }
  if (!done) {
    state.fault = done.error();
    return heal_later(state, state.pace.due(now));
  }
  ++state.healed;
  const bool was_faulty = state.fault.has_value();
  state.fault.reset();
  if (is_worth_telling || was_faulty) {
    events_.publish(architecture_event(event_kind::handler_healed, state.architecture->name,
                                       fmt::format("{} was put back", state.rule.name)));
  }
}

void HostHandlers::cannot_heal(Handler& state, const Error& error) {
  const auto now = Clock::now();
  if (state.pace.due(now) <= now) state.pace.attempted(now, false);
  if (!state.fault || state.fault->message() != error.message()) {
    events_.publish(
        architecture_event(event_kind::handler_lost, state.architecture->name,
                           fmt::format("{} may be lost: {}", state.rule.name, error.message())));
  }
  state.fault = error;
  heal_later(state, state.pace.due(now));
}

// Also where nothing would tell that it has become possible: after a remount, for example.
void HostHandlers::heal_later(Handler& state, Clock::time_point due) {
  if (!state.fault) {
    state.fault = fail(Errc::busy, "put back", state.rule.name,
                       "another program removes it again and again; emud backs off",
                       "Find out which program that is: its package's service may have to be "
                       "stopped")
                      .error();
    events_.publish(architecture_event(event_kind::handler_lost, state.architecture->name,
                                       state.fault->message()));
  }
  retry_at(due);
}

void HostHandlers::retry_at(Clock::time_point due) {
  if (is_retry_due_ && retry_.expiry() <= due) return;
  retry_.expires_at(due);  // interrupts retry()
  if (!std::exchange(is_retry_due_, true)) spawn(executor_, retry());
}

Task<void> HostHandlers::retry() {
  boost::system::error_code interrupted;
  do {
    interrupted.clear();
    co_await retry_.async_wait(asio::redirect_error(asio::use_awaitable, interrupted));
  } while (interrupted);
  is_retry_due_ = false;
  heal_all();
  co_await stand_up_waiting();
}

void HostHandlers::look_at_status(const Registry& registry) {
  const auto is_on = registry.is_on();
  if (!is_on || *is_on == is_on_) return;
  is_on_ = *is_on;
  events_.publish(fault_event(
      is_on_ ? "binfmt_misc as a whole is switched on again"
             : fmt::format("somebody switched binfmt_misc off as a whole: no handler of anybody's "
                           "works until `echo 1 > {}/status` as root; emud never does that",
                           binfmt_misc_mount)));
}

void HostHandlers::tell_rivals(const Handler& state, const std::vector<Entry>& entries) {
  for (const Entry* rival : rivals_of(entries, *state.architecture, state.rule.name)) {
    log(Level::notice,
        fmt::format("{} ({}), which is not emud's, serves {} too; {} comes before it", rival->name,
                    rival->interpreter, state.architecture->name, state.rule.name));
  }
}

std::string HostHandlers::note_on(const Entry& entry) const {
  std::string note;
  const Architecture* architecture = architecture_of(entry);
  const auto own = architecture != nullptr ? handlers_.find(architecture->name) : handlers_.end();
  if (own != handlers_.end() && own->second->is_up && entry.enabled) {
    note = own->second->fault ? fmt::format("takes the programs of {}", own->second->rule.name)
                              : fmt::format("{} comes before it", own->second->rule.name);
  }
  if (entry.flags.contains('C')) {
    if (!note.empty()) note += "; ";
    note += "has the flag C: a setuid program runs this interpreter with its owner's rights";
  }
  return note;
}

}  // namespace emud
