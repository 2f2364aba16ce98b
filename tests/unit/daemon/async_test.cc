#include "daemon/async.h"

#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/system/system_error.hpp>

#include "support/catch.h"

namespace emud {
namespace {

enum class End { none, readable, cancelled };

Task<void> wait_readable(FdWaiter& waiter, End& end) {
  try {
    co_await waiter.readable();
    end = End::readable;
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) end = End::cancelled;
  }
}

// A pipe and two that wait for its reading end. epoll_ctl(2): EEXIST, one descriptor is watched
// once, so that epoll refuses the second as it refuses everybody without memory or watches left.
struct Waiters {
  asio::io_context loop{1};
  SocketPair pipe = make_pipe().value();
  FdWaiter watched{loop.get_executor(), pipe.first.get()};
  FdWaiter refused{loop.get_executor(), pipe.first.get()};
  End ends[2] = {End::none, End::none};

  void start() {
    spawn(loop.get_executor(), wait_readable(watched, ends[0]));
    spawn(loop.get_executor(), wait_readable(refused, ends[1]));
    loop.poll();
  }
};

TEST_CASE("a descriptor that epoll refuses is waited for all the same") {
  Waiters waiters;
  waiters.start();
  CHECK(waiters.ends[0] == End::none);
  CHECK(waiters.ends[1] == End::none);
  REQUIRE(::write(waiters.pipe.second.get(), "x", 1) == 1);
  waiters.loop.run();
  CHECK(waiters.ends[0] == End::readable);
  CHECK(waiters.ends[1] == End::readable);
}

TEST_CASE("waiting for a descriptor that epoll refuses can be cancelled") {
  Waiters waiters;
  waiters.start();
  waiters.watched.cancel();
  waiters.refused.cancel();
  waiters.loop.run();
  CHECK(waiters.ends[0] == End::cancelled);
  CHECK(waiters.ends[1] == End::cancelled);
}

Task<void> wait_before(int fd, std::chrono::milliseconds limit, bool& in_time) {
  in_time = co_await readable_before(fd, std::chrono::steady_clock::now() + limit);
}

TEST_CASE("a wait with a limit ends at it, or as soon as there is something") {
  asio::io_context loop{1};
  const SocketPair pipe = make_pipe().value();
  bool in_time = true;
  spawn(loop.get_executor(), wait_before(pipe.first.get(), std::chrono::milliseconds{1}, in_time));
  loop.run();
  CHECK_FALSE(in_time);
  loop.restart();
  spawn(loop.get_executor(), wait_before(pipe.first.get(), std::chrono::hours{1}, in_time));
  loop.poll();
  REQUIRE(::write(pipe.second.get(), "x", 1) == 1);
  loop.run();
  CHECK(in_time);
}

}  // namespace
}  // namespace emud
