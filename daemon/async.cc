#include "daemon/async.h"

#include <poll.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include "base/log.h"
#include "base/retry.h"

namespace emud {
namespace {

constexpr std::chrono::milliseconds pause_between_looks{20};

bool is_ready(int fd, short events) {
  pollfd entry{.fd = fd, .events = events, .revents = 0};
  return uninterrupted([&] { return ::poll(&entry, 1, 0); }) != 0;
}

void log_unexpected(const std::exception_ptr& thrown) {
  if (!thrown) return;
  try {
    std::rethrow_exception(thrown);
  } catch (const boost::system::system_error& error) {
    if (error.code() != asio::error::operation_aborted) log(Level::error, error.what());
  } catch (const std::exception& error) {
    log(Level::error, error.what());
  }
}

}  // namespace

FdWaiter::FdWaiter(const asio::any_io_executor& executor, int fd) : descriptor_(executor), fd_(fd) {
  boost::system::error_code refused;
  descriptor_.assign(fd, refused);
}

void FdWaiter::stop_watching() {
  if (descriptor_.is_open()) descriptor_.release();
}

void FdWaiter::cancel() {
  is_cancelled_ = true;
  stop_watching();
}

Task<void> FdWaiter::wait(asio::posix::descriptor_base::wait_type what, short events) {
  for (;;) {
    boost::system::error_code refused;
    if (descriptor_.is_open()) {
      co_await descriptor_.async_wait(what, asio::redirect_error(asio::use_awaitable, refused));
      if (!refused) co_return;
      if (refused == asio::error::operation_aborted) throw boost::system::system_error(refused);
      stop_watching();
    }
    if (is_cancelled_) throw boost::system::system_error(asio::error::operation_aborted);
    if (is_ready(fd_, events)) co_return;
    asio::steady_timer pause{co_await asio::this_coro::executor, pause_between_looks};
    co_await pause.async_wait(asio::use_awaitable);
    if (!is_cancelled_ && !descriptor_.is_open()) descriptor_.assign(fd_, refused);
  }
}

Task<void> FdWaiter::readable() {
  return wait(asio::posix::descriptor_base::wait_read, POLLIN);
}

Task<void> FdWaiter::writable() {
  return wait(asio::posix::descriptor_base::wait_write, POLLOUT);
}

Task<void> FdWaiter::exceptional() {
  return wait(asio::posix::descriptor_base::wait_error, POLLPRI);
}

Task<bool> readable_before(int fd, std::chrono::steady_clock::time_point deadline) {
  using asio::experimental::awaitable_operators::operator||;
  if (is_ready(fd, POLLIN)) co_return true;
  const auto executor = co_await asio::this_coro::executor;
  FdWaiter waiter{executor, fd};
  asio::steady_timer timer{executor, deadline};
  co_await (waiter.readable() || timer.async_wait(asio::use_awaitable));
  co_return is_ready(fd, POLLIN);
}

void spawn(const asio::any_io_executor& executor, Task<void> task) {
  asio::co_spawn(executor, std::move(task), log_unexpected);
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

Task<void> AsyncEvent::wait() {
  boost::system::error_code cancelled;
  co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

Task<void> AsyncEvent::wait_until(asio::steady_timer::time_point deadline) {
  using asio::experimental::awaitable_operators::operator||;
  asio::steady_timer timer{timer_.get_executor(), deadline};
  co_await (wait() || timer.async_wait(asio::use_awaitable));
}

void Posted::post(Task<void> task) {
  ++running_;
  asio::co_spawn(executor_, std::move(task), [this](const std::exception_ptr& thrown) {
    log_unexpected(thrown);
    if (--running_ == 0) drained_.notify();
  });
}

Task<void> Posted::drain() {
  while (running_ > 0) co_await drained_.wait();
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
