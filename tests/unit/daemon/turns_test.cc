#include "daemon/turns.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "support/catch.h"

namespace emud {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

Task<void> spend(Turns& turns, uid_t user, std::size_t tokens, int times, Clock::time_point& end) {
  for (int i = 0; i < times; ++i) co_await turns.take(user, tokens);
  end = Clock::now();
}

TEST_CASE("who asks too often waits, and nobody else does") {
  asio::io_context loop{1};
  Turns turns{loop.get_executor(), 100, 1};
  const auto start = Clock::now();
  Clock::time_point greedy;
  Clock::time_point modest;
  asio::co_spawn(loop, spend(turns, 1000, 1, 130, greedy), asio::detached);  // 100 are saved up
  asio::co_spawn(loop, spend(turns, 1001, 10, 10, modest), asio::detached);
  loop.run();
  CHECK(greedy - start >= 290ms);
  CHECK(modest < greedy);
}

TEST_CASE("charged tokens are waited for by the next call") {
  asio::io_context loop{1};
  Turns turns{loop.get_executor(), 100, 1};
  turns.charge(1000, 120);
  const auto start = Clock::now();
  Clock::time_point end;
  asio::co_spawn(loop, spend(turns, 1000, 1, 1, end), asio::detached);
  loop.run();
  CHECK(end - start >= 190ms);
}

TEST_CASE("without a rate nobody waits") {
  asio::io_context loop{1};
  Turns turns{loop.get_executor(), 0, 1};
  turns.charge(1000, 1'000'000'000);
  Clock::time_point end;
  asio::co_spawn(loop, spend(turns, 1000, 1'000'000'000, 3, end), asio::detached);
  loop.run_for(1min);
  CHECK(end != Clock::time_point{});
}

struct Site {
  int busy = 0;
  int most = 0;
  std::vector<int> order;
};

Task<void> work(Turns& turns, uid_t user, int number, Site& site) {
  const auto slot = co_await turns.enter(user);
  site.order.push_back(number);
  site.most = std::max(site.most, ++site.busy);
  asio::steady_timer timer{co_await asio::this_coro::executor, 1ms};
  co_await timer.async_wait(asio::use_awaitable);
  --site.busy;
}

TEST_CASE("slots: so many at a time for each user, in the order of asking") {
  asio::io_context loop{1};
  Turns turns{loop.get_executor(), 0, 2};
  Site site;
  Site other;
  for (int i = 0; i < 7; ++i) asio::co_spawn(loop, work(turns, 1000, i, site), asio::detached);
  asio::co_spawn(loop, work(turns, 1001, 0, other), asio::detached);
  loop.run();
  CHECK(site.most == 2);
  CHECK(site.order == std::vector<int>{0, 1, 2, 3, 4, 5, 6});
  CHECK(other.most == 1);
}

TEST_CASE("who stops waiting for a slot leaves it to the next") {
  asio::io_context loop{1};
  Turns turns{loop.get_executor(), 0, 1};
  Site site;
  asio::cancellation_signal stop;
  asio::co_spawn(loop, work(turns, 1000, 0, site), asio::detached);
  asio::co_spawn(loop, work(turns, 1000, 1, site),
                 asio::bind_cancellation_slot(stop.slot(), asio::detached));
  asio::co_spawn(loop, work(turns, 1000, 2, site), asio::detached);
  asio::post(loop, [&] { stop.emit(asio::cancellation_type::all); });
  loop.run();
  CHECK(site.order == std::vector<int>{0, 2});
  CHECK(site.busy == 0);
}

}  // namespace
}  // namespace emud
