#include "daemon/events.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "base/log.h"
#include "daemon/lease.h"
#include "support/catch.h"

namespace emud {
namespace {

// Takes that many events, whenever they come.
Task<void> take(Subscription& subscription, std::size_t count, std::vector<wire::Event>& taken) {
  for (std::size_t i = 0; i < count; ++i) taken.push_back(co_await subscription.next());
}

struct Watched {
  Watched() { set_log_level(Level::error); }
  ~Watched() { set_log_level(Level::info); }

  std::vector<wire::Event> next(std::size_t count) {
    std::vector<wire::Event> taken;
    asio::co_spawn(loop, take(subscription, count, taken), asio::detached);
    loop.restart();
    loop.run();
    return taken;
  }

  asio::io_context loop{1};
  Events events;
  Subscription subscription{loop.get_executor(), events};
};

TEST_CASE("every subscription gets every event in order, with what it is about") {
  Watched watched;
  Subscription second{watched.loop.get_executor(), watched.events};
  LeaseRecord lease;
  lease.id = "0123abcd";
  lease.scope = "private";
  lease.architectures = {"aarch64", "arm"};
  lease.uid = 1000;
  lease.pid = 77;
  watched.events.publish(
      architecture_event(event_kind::handler_up, "aarch64", "emud-aarch64 is there"));
  watched.events.publish(lease_event(event_kind::lease_ready, lease, "lease 0123abcd is ready"));
  const auto events = watched.next(3);
  REQUIRE(events.size() == 3);
  CHECK(events[0].kind == event_kind::monitor_started);
  CHECK(events[1].kind == event_kind::handler_up);
  CHECK(events[1].architecture == "aarch64");
  CHECK_FALSE(events[1].lease);
  CHECK(events[1].time > 1'700'000'000'000'000);
  CHECK(events[2].lease == "0123abcd");
  CHECK(events[2].architectures == lease.architectures);
  CHECK(events[2].scope == "private");
  CHECK(events[2].uid == 1000);
  CHECK(events[2].pid == 77);
  CHECK(events[2].text == "lease 0123abcd is ready");
  CHECK(events[2].time >= events[1].time);
}

TEST_CASE("who does not read loses events, is told how many and where, and then goes on") {
  Watched watched;
  for (int i = 0; i < 1000; ++i) watched.events.publish(fault_event(std::to_string(i)));
  const auto first = watched.next(10);  // monitor_started and 0 to 8
  CHECK(first.back().text == "8");
  watched.events.publish(fault_event("after"));
  const auto rest = watched.next(event_queue_limit - 10 + 2);
  CHECK(rest.front().text == "9");
  const std::size_t last_kept = event_queue_limit - 2;
  CHECK(rest[rest.size() - 3].text == std::to_string(last_kept));
  CHECK(rest[rest.size() - 2].kind == event_kind::events_lost);
  CHECK(rest[rest.size() - 2].lost == 1000 - static_cast<std::int64_t>(last_kept) - 1);
  CHECK(rest.back().text == "after");

  for (std::size_t i = 0; i < event_queue_limit + 5; ++i) watched.events.publish(fault_event("x"));
  const auto all = watched.next(event_queue_limit + 1);
  CHECK(all.back().kind == event_kind::events_lost);
  CHECK(all.back().lost == 5);
}

TEST_CASE("a subscription that has gone is not written to") {
  Watched watched;
  {
    const Subscription gone{watched.loop.get_executor(), watched.events};
  }
  watched.events.publish(fault_event("x"));
  CHECK(watched.next(2).back().text == "x");
}

}  // namespace
}  // namespace emud
