// Fairness among users: how many requests each may make in a second, and how many bring-ups of each
// are worked on at the same time. Whoever asks for more waits, and nobody else does.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <deque>
#include <map>
#include <memory>

#include "daemon/async.h"

namespace emud {

class Turns {
 public:
  // rate: tokens that each user gets a second (0: no limit); as many may be saved up. slots:
  // bring-ups of one user at the same time.
  Turns(const asio::any_io_executor& executor, std::size_t rate, std::size_t slots);

  // Completes when the user has that many tokens to spend. Calls of one user that wait are served
  // in the order of their calls. Throws operation_aborted when cancelled.
  [[nodiscard]] Task<void> take(uid_t user, std::size_t tokens);

  // Spends tokens that nobody waits for: the user's next call waits for them.
  void charge(uid_t user, std::size_t tokens);

  // A bring-up being worked on. It ends with the slot.
  class [[nodiscard]] Slot {
   public:
    Slot() = default;
    Slot(Turns* turns, uid_t user) : turns_(turns), user_(user) {}
    Slot(Slot&& other) noexcept
        : turns_(std::exchange(other.turns_, nullptr)), user_(other.user_) {}
    Slot& operator=(Slot&& other) noexcept {
      std::swap(turns_, other.turns_);
      std::swap(user_, other.user_);
      return *this;
    }
    ~Slot() {
      if (turns_ != nullptr) turns_->leave(user_);
    }

   private:
    Turns* turns_ = nullptr;
    uid_t user_ = 0;
  };

  // Waits for a free slot of that user's, first come, first served. Throws when cancelled.
  [[nodiscard]] Task<Slot> enter(uid_t user);

 private:
  using Clock = std::chrono::steady_clock;
  struct Workplace {
    std::size_t busy = 0;
    std::deque<std::shared_ptr<asio::steady_timer>> waiting;
  };

  // When what the user has spent so far is earned again, plus that many tokens.
  Clock::time_point spend(uid_t user, std::size_t tokens);
  void leave(uid_t user);

  asio::any_io_executor executor_;
  std::size_t rate_;
  std::size_t slots_;
  std::map<uid_t, Clock::time_point> earned_;  // of those who are in debt or were lately
  std::map<uid_t, Workplace> workplaces_;
};

}  // namespace emud
