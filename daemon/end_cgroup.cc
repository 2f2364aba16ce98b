#include "daemon/end_cgroup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/file.h"
#include "sandbox/cgroup.h"

namespace emud {
namespace {

using Clock = asio::steady_timer::clock_type;

constexpr std::chrono::milliseconds pause_between_attempts{50};
constexpr std::size_t most_named = 64;  // bytes of pids in a message

// Killed processes leave a cgroup one by one. poll(2) says POLLPRI when cgroup.events has changed
// since it was read through that descriptor (cgroup-v2.rst; kernfs_generic_poll).
Task<Result<void>> wait_until_empty(const Cgroup& cgroup, Clock::time_point deadline) {
  using asio::experimental::awaitable_operators::operator||;
  const auto events = open_at(cgroup.fd(), "cgroup.events", O_RDONLY);
  if (!events) co_return std::unexpected(events.error());
  const auto executor = co_await asio::this_coro::executor;
  FdWaiter changed{executor, events->get()};
  for (;;) {
    ::lseek(events->get(), 0, SEEK_SET);
    const auto text = read_all(events->get(), "cgroup.events", 4096);
    if (!text) co_return std::unexpected(text.error());
    if (text->find("populated 1") == std::string::npos) co_return Result<void>{};
    if (Clock::now() >= deadline) break;
    asio::steady_timer timer{executor, deadline};
    co_await (changed.exceptional() || timer.async_wait(asio::use_awaitable));
  }
  std::string pids = read_file(cgroup.fd(), "cgroup.procs").value_or("");
  if (pids.size() > most_named) pids.replace(most_named, std::string::npos, "...");
  std::ranges::replace(pids, '\n', ' ');
  co_return fail(Errc::timed_out, "end the processes of", cgroup.path(),
                 fmt::format("some do not end though they were killed: {}", pids),
                 "They wait in the kernel, for the server of a file system perhaps");
}

Task<Result<void>> end_once(const std::string& path, Clock::time_point deadline) {
  const auto cgroup = Cgroup::open(path);
  if (!cgroup && cgroup.error().code == Errc::not_found) co_return Result<void>{};
  if (!cgroup) co_return std::unexpected(cgroup.error());
  if (auto killed = cgroup->kill(); !killed) co_return killed;
  if (auto emptied = co_await wait_until_empty(*cgroup, deadline); !emptied) co_return emptied;
  co_return cgroup->remove();
}

}  // namespace

// What fails for a moment, for want of a descriptor perhaps, must not leave processes behind.
Task<Result<void>> end_cgroup(std::string path, Clock::time_point deadline) {
  asio::steady_timer pause{co_await asio::this_coro::executor};
  for (;;) {
    auto ended = co_await end_once(path, deadline);
    if (ended || Clock::now() >= deadline) co_return ended;
    pause.expires_after(pause_between_attempts);
    co_await pause.async_wait(asio::use_awaitable);
  }
}

}  // namespace emud
