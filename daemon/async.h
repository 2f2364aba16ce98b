// The event loop's words: one thread, one io_context, coroutines.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>

#include "base/result.h"
#include "sandbox/process.h"
#include "wire/channel.h"

namespace emud {

namespace asio = boost::asio;

template <class T>
using Task = asio::awaitable<T>;

// Waits for a descriptor that somebody else owns. The owner must outlive it. Where epoll takes no
// more descriptors (ENOSPC, ENOMEM: epoll_ctl(2)), it looks from time to time until it does.
class FdWaiter {
 public:
  FdWaiter(const asio::any_io_executor& executor, int fd);
  FdWaiter(const FdWaiter&) = delete;
  FdWaiter& operator=(const FdWaiter&) = delete;
  ~FdWaiter() { stop_watching(); }

  // Throws boost::system::system_error(operation_aborted) when the waiting coroutine is cancelled.
  [[nodiscard]] Task<void> readable();
  [[nodiscard]] Task<void> writable();
  // POLLPRI or POLLERR: poll(2).
  [[nodiscard]] Task<void> exceptional();

  // Throws that into whoever waits. Only after this (or the destructor) may the descriptor be
  // closed: its number would be another's by the time it is taken from the epoll set, and nobody
  // would ever hear of that one.
  void cancel();

 private:
  [[nodiscard]] Task<void> wait(asio::posix::descriptor_base::wait_type what, short events);
  void stop_watching();

  asio::posix::stream_descriptor descriptor_;
  int fd_;
  bool is_cancelled_ = false;
};

// A wire::Channel on the event loop.
class AsyncChannel {
 public:
  AsyncChannel(const asio::any_io_executor& executor, Channel channel)
      : channel_(std::move(channel)), waiter_(executor, channel_.fd()) {}

  [[nodiscard]] Task<Result<Frame>> receive();
  [[nodiscard]] Task<Result<void>> send(Frame frame);
  // Completes when the peer has hung up; what it says meanwhile is kept for receive(), within the
  // channel's bound.
  [[nodiscard]] Task<void> hung_up();
  [[nodiscard]] int fd() const { return channel_.fd(); }
  // Gives the socket up, which has to outlive this object.
  [[nodiscard]] UniqueFd take_socket() { return channel_.take_socket(); }

 private:
  Channel channel_;
  FdWaiter waiter_;
};

// Until the descriptor is readable, at most until that time. Whether it is.
[[nodiscard]] Task<bool> readable_before(int fd, std::chrono::steady_clock::time_point deadline);

// Starts a coroutine that nobody waits for. What it throws, but for its cancellation, is logged.
void spawn(const asio::any_io_executor& executor, Task<void> task);

// Waits for a child's end and reaps it.
[[nodiscard]] Task<ExitStatus> wait_for(Child& child);

// Wakes coroutines that wait for something to change. There is no memory of it: look at the
// condition before each wait(), and again after it.
class AsyncEvent {
 public:
  explicit AsyncEvent(const asio::any_io_executor& executor)
      : timer_(executor, asio::steady_timer::time_point::max()) {}

  // Until the next notify(). A coroutine that is cancelled meanwhile returns as well; its next
  // co_await throws.
  [[nodiscard]] Task<void> wait();
  // The same, at most until that time.
  [[nodiscard]] Task<void> wait_until(asio::steady_timer::time_point deadline);
  void notify() { timer_.cancel(); }

 private:
  asio::steady_timer timer_;  // never expires
};

// Coroutines that nobody waits for one by one: what destructors start. What they throw is logged.
class Posted {
 public:
  explicit Posted(const asio::any_io_executor& executor)
      : executor_(executor), drained_(executor) {}

  void post(Task<void> task);
  // Completes when all that were posted have ended.
  [[nodiscard]] Task<void> drain();

 private:
  asio::any_io_executor executor_;
  int running_ = 0;
  AsyncEvent drained_;
};

// Mutual exclusion among coroutines, first come, first served.
class AsyncMutex {
 public:
  explicit AsyncMutex(const asio::any_io_executor& executor) : executor_(executor) {}

  class [[nodiscard]] Guard {
   public:
    Guard() = default;
    explicit Guard(AsyncMutex* mutex) : mutex_(mutex) {}
    Guard(Guard&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    Guard& operator=(Guard&& other) noexcept {
      std::swap(mutex_, other.mutex_);
      return *this;
    }
    ~Guard() {
      if (mutex_ != nullptr) mutex_->unlock();
    }

   private:
    AsyncMutex* mutex_ = nullptr;
  };

  [[nodiscard]] Task<Guard> lock();

 private:
  void unlock();

  asio::any_io_executor executor_;
  bool locked_ = false;
  std::deque<std::shared_ptr<asio::steady_timer>> waiting_;
};

}  // namespace emud
