// What happens in emud, for those who watch it (io.emud.Manager.Monitor) and for the journal.
#pragma once

#include <deque>
#include <set>
#include <string>
#include <string_view>

#include "daemon/async.h"
#include "wire/messages.h"

namespace emud {

struct LeaseRecord;

// The kinds of events, as they travel. Programs know them by these names: none is ever renamed.
namespace event_kind {
inline constexpr std::string_view monitor_started = "monitor_started";  // the first of each monitor
inline constexpr std::string_view events_lost = "events_lost";          // it did not read in time
inline constexpr std::string_view handler_up = "handler_up";            // registered and proven
inline constexpr std::string_view handler_down = "handler_down";        // removed by emud
inline constexpr std::string_view handler_lost = "handler_lost";        // removed by somebody else
inline constexpr std::string_view handler_healed = "handler_healed";    // put back after that
inline constexpr std::string_view handler_pinned = "handler_pinned";    // stays without a lease
inline constexpr std::string_view handler_unpinned = "handler_unpinned";
inline constexpr std::string_view lease_opened = "lease_opened";
inline constexpr std::string_view lease_ready = "lease_ready";
inline constexpr std::string_view lease_adopted = "lease_adopted";  // after a restart of emud
inline constexpr std::string_view lease_ended = "lease_ended";
inline constexpr std::string_view emulator_installed = "emulator_installed";
inline constexpr std::string_view emulator_removed = "emulator_removed";
inline constexpr std::string_view fault = "fault";  // something failed that nobody asked for
}  // namespace event_kind

// Events about a handler or an emulator of an architecture, about a lease, and about neither.
// `text` is one sentence for people, without the full stop. Anyone may watch: no command line, path
// of a user's or other secret belongs in it.
[[nodiscard]] wire::Event architecture_event(std::string_view kind, std::string_view architecture,
                                             std::string text);
[[nodiscard]] wire::Event lease_event(std::string_view kind, const LeaseRecord& lease,
                                      std::string text);
[[nodiscard]] wire::Event fault_event(std::string text);

class Events {
 public:
  // Tells every subscription and the journal (level warning for handler_lost and fault, else info),
  // so whoever publishes need not log the same. Never waits: what a slow subscriber does not take
  // is counted and dropped.
  void publish(const wire::Event& event);

 private:
  friend class Subscription;
  std::set<class Subscription*> subscriptions_;
};

// One watcher's queue: of at most event_queue_limit events.
inline constexpr std::size_t event_queue_limit = 256;

class [[nodiscard]] Subscription {
 public:
  Subscription(const asio::any_io_executor& executor, Events& events);
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;
  ~Subscription();

  // The next event, in order. Where some were dropped, an events_lost event with their number
  // stands in their place.
  [[nodiscard]] Task<wire::Event> next();

 private:
  friend class Events;
  void add(const wire::Event& event);

  Events& events_;
  std::deque<wire::Event> queue_;
  std::int64_t lost_ = 0;  // since the last event in the queue
  asio::steady_timer arrived_;
};

}  // namespace emud
