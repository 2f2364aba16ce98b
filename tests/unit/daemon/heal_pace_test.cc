#include "daemon/heal_pace.h"

#include "support/catch.h"

namespace emud {
namespace {

using namespace std::chrono_literals;
using Clock = HealPace::Clock;

const Clock::time_point start = Clock::time_point{} + 1h;

// Attempts as soon as it may each time, for that long: how many there were.
int attempts_within(HealPace& pace, Clock::time_point& now, Clock::duration length, bool succeed,
                    Clock::duration period) {
  int count = 0;
  const auto end = now + length;
  while (now < end) {
    const auto due = pace.due(now);
    if (due > now) {
      now = due;
      continue;
    }
    pace.attempted(now, succeed);
    ++count;
    now += period;
  }
  return count;
}

TEST_CASE("a handler that was never lost is put back at once") {
  CHECK(HealPace{}.due(start) == start);
}

TEST_CASE("a wipe every 200 ms is never waited for") {
  HealPace pace;
  for (int round = 0; round < 1000; ++round) {
    const auto now = start + round * 200ms;
    REQUIRE(pace.due(now) <= now);
    pace.attempted(now, true);
  }
  CHECK(pace.row() == 1000);
  CHECK(pace.row_length() == 999 * 200ms);
}

TEST_CASE("a fight slows down, to a bound") {
  HealPace pace;
  auto now = start;
  CHECK(attempts_within(pace, now, 60s, true, 1ms) < 40);
  const auto due = pace.due(now);
  CHECK(due - now <= HealPace::max_delay);
  CHECK(attempts_within(pace, now, 600s, true, 1ms) >= 55);  // and goes on for ever
}

TEST_CASE("a failure is tried again, ever more slowly, and forgotten when it succeeds") {
  HealPace pace;
  pace.attempted(start, false);
  CHECK(pace.due(start) == start + HealPace::min_delay);
  pace.attempted(start + 100ms, false);
  CHECK(pace.due(start + 100ms) == start + 300ms);
  pace.attempted(start + 300ms, true);
  CHECK(pace.due(start + 300ms) == start + 300ms);
}

TEST_CASE("quiet makes it as quick as before") {
  HealPace pace;
  auto now = start;
  attempts_within(pace, now, 5s, true, 1ms);
  CHECK(pace.delay() > 0s);
  now += HealPace::quiet + HealPace::max_delay;
  CHECK(pace.due(now) == now);
  CHECK(pace.attempted(now, true));
  CHECK(pace.row() == 1);
  CHECK(pace.due(now) == now);
}

TEST_CASE("of a row, the first, second, fourth, eighth ... is worth telling") {
  HealPace pace;
  int told = 0;
  for (int round = 0; round < 100; ++round)
    told += pace.attempted(start + round * 200ms, true) ? 1 : 0;
  CHECK(told == 7);  // 1, 2, 4, 8, 16, 32, 64
}

}  // namespace
}  // namespace emud
