#include "daemon/events.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "base/log.h"
#include "daemon/lease.h"
#include "daemon/message_ids.h"

namespace emud {
namespace {

std::int64_t microseconds_since_1970() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

wire::Event make_event(std::string_view kind, std::string text) {
  wire::Event event;
  event.time = microseconds_since_1970();
  event.kind = kind;
  event.text = std::move(text);
  return event;
}

wire::Event lost_event(std::int64_t count) {
  auto event =
      make_event(event_kind::events_lost,
                 fmt::format("{} events were lost: this monitor did not read them in time", count));
  event.lost = count;
  return event;
}

std::string_view message_id_of(std::string_view kind) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 10> ids{
      {{event_kind::lease_ready, message_id::lease_ready},
       {event_kind::lease_ended, message_id::lease_ended},
       {event_kind::lease_adopted, message_id::lease_adopted},
       {event_kind::handler_up, message_id::handler_up},
       {event_kind::handler_down, message_id::handler_down},
       {event_kind::handler_lost, message_id::handler_lost},
       {event_kind::handler_healed, message_id::handler_healed},
       {event_kind::emulator_installed, message_id::emulator_installed},
       {event_kind::emulator_removed, message_id::emulator_removed},
       {event_kind::fault, message_id::fault}}};
  for (const auto& [known, id] : ids) {
    if (known == kind) return id;
  }
  return {};
}

// A field of the journal may be there several times: each of a lease's architectures finds it.
LogFields fields_of(const wire::Event& event) {
  LogFields fields{{"MESSAGE_ID", std::string{message_id_of(event.kind)}},
                   {"EMUD_EVENT", event.kind},
                   {"EMUD_ARCH", event.architecture.value_or("")},
                   {"EMUD_LEASE", event.lease.value_or("")},
                   {"EMUD_SCOPE", event.scope.value_or("")},
                   {"EMUD_UID", event.uid ? std::to_string(*event.uid) : ""},
                   {"EMUD_PID", event.pid ? std::to_string(*event.pid) : ""}};
  if (event.architectures) {
    for (const auto& name : *event.architectures) fields.emplace_back("EMUD_ARCH", name);
  }
  return fields;
}

Level level_of(const wire::Event& event) {
  const bool is_trouble = event.kind == event_kind::handler_lost || event.kind == event_kind::fault;
  return is_trouble ? Level::warning : Level::info;
}

}  // namespace

wire::Event architecture_event(std::string_view kind, std::string_view architecture,
                               std::string text) {
  auto event = make_event(kind, std::move(text));
  event.architecture = architecture;
  return event;
}

wire::Event lease_event(std::string_view kind, const LeaseRecord& lease, std::string text) {
  auto event = make_event(kind, std::move(text));
  event.architectures = lease.architectures;
  event.lease = lease.id;
  event.scope = lease.scope;
  event.uid = lease.uid;
  event.pid = lease.pid;
  return event;
}

wire::Event fault_event(std::string text) {
  return make_event(event_kind::fault, std::move(text));
}

void Events::publish(const wire::Event& event) {
  log(level_of(event), event.text, fields_of(event));
  for (auto* subscription : subscriptions_) subscription->add(event);
}

Subscription::Subscription(const asio::any_io_executor& executor, Events& events)
    : events_(events), arrived_(executor, asio::steady_timer::time_point::max()) {
  events_.subscriptions_.insert(this);
  queue_.push_back(
      make_event(event_kind::monitor_started, "Watching: what happens from now on is told"));
}

Subscription::~Subscription() {
  events_.subscriptions_.erase(this);
}

void Subscription::add(const wire::Event& event) {
  if (queue_.size() >= event_queue_limit) {
    ++lost_;
    return;
  }
  if (lost_ > 0) queue_.push_back(lost_event(std::exchange(lost_, 0)));
  queue_.push_back(event);
  arrived_.cancel();
}

Task<wire::Event> Subscription::next() {
  boost::system::error_code ignored;
  while (queue_.empty() && lost_ == 0) {
    co_await arrived_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  if (queue_.empty()) co_return lost_event(std::exchange(lost_, 0));
  wire::Event event = std::move(queue_.front());
  queue_.pop_front();
  co_return event;
}

}  // namespace emud
