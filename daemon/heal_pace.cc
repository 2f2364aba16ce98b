#include "daemon/heal_pace.h"

#include <algorithm>
#include <bit>

namespace emud {

bool HealPace::has_been_quiet(Clock::time_point now) const {
  return row_ == 0 || now - last_ >= quiet + delay_;
}

HealPace::Clock::time_point HealPace::due(Clock::time_point now) const {
  return has_been_quiet(now) ? now : last_ + delay_;
}

bool HealPace::attempted(Clock::time_point now, bool succeeded) {
  if (has_been_quiet(now)) {
    *this = HealPace{};
    first_ = window_begin_ = now;
  }
  if (now - window_begin_ >= window) {
    window_begin_ = now;
    in_window_ = 0;
  }
  ++row_;
  ++in_window_;
  last_ = now;
  is_fight_ = is_fight_ || in_window_ > burst;
  delay_ = succeeded && !is_fight_ ? Clock::duration{0}
                                   : std::clamp<Clock::duration>(2 * delay_, min_delay, max_delay);
  return std::has_single_bit(static_cast<unsigned>(row_));
}

}  // namespace emud
