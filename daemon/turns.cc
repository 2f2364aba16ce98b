#include "daemon/turns.h"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace emud {
namespace {

using namespace std::chrono_literals;

constexpr auto saved_up = 1s;  // a user who did not ask for this long has all tokens
constexpr std::size_t remembered_users = 256;  // more than this are looked through for old ones

}  // namespace

Turns::Turns(const asio::any_io_executor& executor, std::size_t rate, std::size_t slots)
    : executor_(executor), rate_(rate), slots_(slots) {}

// The generic cell rate algorithm: one point in time says it all.
Turns::Clock::time_point Turns::spend(uid_t user, std::size_t tokens) {
  const auto now = Clock::now();
  if (earned_.size() > remembered_users)
    std::erase_if(earned_, [now](const auto& entry) { return entry.second <= now; });
  auto& earned = earned_[user];
  const std::chrono::nanoseconds price{1'000'000'000 * tokens / rate_};
  earned = std::max(earned, now) + std::chrono::duration_cast<Clock::duration>(price);
  return earned;
}

void Turns::charge(uid_t user, std::size_t tokens) {
  if (rate_ > 0) spend(user, tokens);
}

Task<void> Turns::take(uid_t user, std::size_t tokens) {
  if (rate_ == 0) co_return;
  const auto ready = spend(user, tokens) - saved_up;
  if (ready <= Clock::now()) co_return;
  asio::steady_timer timer{executor_, ready};
  co_await timer.async_wait(asio::use_awaitable);
}

Task<Turns::Slot> Turns::enter(uid_t user) {
  Workplace& workplace = workplaces_[user];
  if (workplace.busy < slots_) {
    ++workplace.busy;
    co_return Slot{this, user};
  }
  auto turn =
      std::make_shared<asio::steady_timer>(executor_, asio::steady_timer::time_point::max());
  workplace.waiting.push_back(turn);
  boost::system::error_code ignored;
  // Cancelled by leave() when it is our turn (it has left the queue then, and the slot is ours), or
  // by the end of the coroutine.
  try {
    co_await turn->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  } catch (...) {
    if (std::erase(workplaces_[user].waiting, turn) == 0) leave(user);
    throw;
  }
  if (std::erase(workplaces_[user].waiting, turn) > 0)
    throw boost::system::system_error(asio::error::operation_aborted);
  co_return Slot{this, user};
}

void Turns::leave(uid_t user) {
  Workplace& workplace = workplaces_[user];
  if (workplace.waiting.empty()) {
    if (--workplace.busy == 0) workplaces_.erase(user);
    return;
  }
  const auto next = std::move(workplace.waiting.front());
  workplace.waiting.pop_front();  // the slot stays busy: it is the next one's
  next->cancel();
}

}  // namespace emud
