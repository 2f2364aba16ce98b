// How soon a handler that others keep removing is put back.
#pragma once

#include <chrono>

namespace emud {

// At once, as long as it is not needed more often than a wipe every tenth of a second would ask
// for; beyond that, and while putting it back fails, after a delay that doubles up to max_delay. A
// time of quiet makes it as quick as before.
class HealPace {
 public:
  using Clock = std::chrono::steady_clock;

  static constexpr int burst = 20;  // within `window` at full speed
  static constexpr std::chrono::seconds window{2};
  static constexpr std::chrono::milliseconds min_delay{100};
  static constexpr std::chrono::seconds max_delay{10};
  static constexpr std::chrono::seconds quiet{10};

  // When the next attempt may be made; not later than now: at once.
  [[nodiscard]] Clock::time_point due(Clock::time_point now) const;

  // Records an attempt made now. True if this one is worth a line in the journal: the first,
  // second, fourth, eighth and so on of a row without a time of quiet.
  bool attempted(Clock::time_point now, bool succeeded);

  // Attempts in this row, and since when.
  [[nodiscard]] int row() const { return row_; }
  [[nodiscard]] Clock::duration row_length() const { return last_ - first_; }
  [[nodiscard]] Clock::duration delay() const { return delay_; }  // until the next; 0: none

 private:
  [[nodiscard]] bool has_been_quiet(Clock::time_point now) const;

  Clock::time_point first_{}, last_{}, window_begin_{};
  Clock::duration delay_{0};
  int row_ = 0;
  int in_window_ = 0;
  bool is_fight_ = false;
};

}  // namespace emud
