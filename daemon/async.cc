#include "daemon/async.h"

#include <poll.h>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace emud {

Task<void> FdWaiter::readable() {
  co_await descriptor_.async_wait(asio::posix::descriptor_base::wait_read, asio::use_awaitable);
}

Task<void> FdWaiter::writable() {
  co_await descriptor_.async_wait(asio::posix::descriptor_base::wait_write, asio::use_awaitable);
}

Task<Result<Frame>> AsyncChannel::receive() {
  for (;;) {
    if (auto frame = channel_.take()) co_return *std::move(frame);
    auto filled = channel_.fill();
    if (!filled) co_return std::unexpected(std::move(filled).error());
    if (!*filled) co_await waiter_.readable();
  }
}

Task<Result<void>> AsyncChannel::send(Frame frame) {
  if (auto queued = channel_.put(std::move(frame)); !queued) co_return queued;
  for (;;) {
    auto sent = channel_.flush();
    if (!sent) co_return std::unexpected(std::move(sent).error());
    if (*sent) co_return Result<void>{};
    co_await waiter_.writable();
  }
}

Task<void> AsyncChannel::hung_up() {
  for (;;) {
    co_await waiter_.readable();
    const auto filled = channel_.fill();
    if (!filled) co_return;  // at end of file, or past the bound of what it may say in advance
  }
}

Task<ExitStatus> wait_for(Child& child) {
  if (child) {
    FdWaiter ended{co_await asio::this_coro::executor, child.pidfd()};
    co_await ended.readable();  // pidfd_open(2): readable once the process has ended
  }
  co_return child.wait().value_or(ExitStatus{});
}

Task<AsyncMutex::Guard> AsyncMutex::lock() {
  if (!locked_) {
    locked_ = true;
    co_return Guard{this};
  }
  auto turn =
      std::make_shared<asio::steady_timer>(executor_, asio::steady_timer::time_point::max());
  waiting_.push_back(turn);
  boost::system::error_code error;
  // Cancelled by unlock() when it is our turn (it has left the queue then), or by the end of the
  // coroutine.
  try {
    co_await turn->async_wait(asio::redirect_error(asio::use_awaitable, error));
  } catch (...) {
    if (std::erase(waiting_, turn) == 0) unlock();  // it was our turn already: hand it on
    throw;
  }
  if (std::erase(waiting_, turn) > 0)
    throw boost::system::system_error(asio::error::operation_aborted);
  co_return Guard{this};
}

void AsyncMutex::unlock() {
  if (waiting_.empty()) {
    locked_ = false;
    return;
  }
  const auto next = std::move(waiting_.front());
  waiting_.pop_front();  // still locked: it is the next one's
  next->cancel();
}

}  // namespace emud
