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

// Waits for a descriptor that somebody else owns. The owner must outlive it.
class FdWaiter {
 public:
  FdWaiter(const asio::any_io_executor& executor, int fd) : descriptor_(executor, fd) {}
  FdWaiter(const FdWaiter&) = delete;
  FdWaiter& operator=(const FdWaiter&) = delete;
  ~FdWaiter() { descriptor_.release(); }

  // Throws boost::system::system_error(operation_aborted) when the waiting coroutine is cancelled.
  [[nodiscard]] Task<void> readable();
  [[nodiscard]] Task<void> writable();

 private:
  asio::posix::stream_descriptor descriptor_;
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

 private:
  Channel channel_;
  FdWaiter waiter_;
};

// Waits for a child's end and reaps it.
[[nodiscard]] Task<ExitStatus> wait_for(Child& child);

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
