// Leases::do_end: everything of a lease goes, or it is kept as stuck and tried again.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>

#include "base/file.h"
#include "base/log.h"
#include "daemon/end_cgroup.h"
#include "daemon/handover.h"
#include "daemon/leases.h"
#include "daemon/worker.h"
#include "sandbox/cgroup.h"
#include "sandbox/identity.h"
#include "sandbox/strays.h"

namespace emud {
namespace {

using Clock = asio::steady_timer::clock_type;

constexpr std::chrono::milliseconds end_limit{5000};
constexpr std::chrono::milliseconds retry_limit{100};  // of one that is stuck
constexpr std::chrono::seconds retry_pause{1};

int milliseconds_left(Clock::time_point deadline) {
  return milliseconds_until(std::max(deadline, Clock::now() + std::chrono::milliseconds{1}));
}

Failure not_gone(const Lease& lease, std::string_view what) {
  return fail(Errc::timed_out, "end", name_of(lease.record),
              fmt::format("{} does not end though it was killed", what),
              "It waits in the kernel, for the server of a file system perhaps");
}

Task<Result<void>> remove_in_worker(std::string path) {
  const Work remove = [&path]() -> Result<std::string> {
    EMUD_TRY(remove_tree(AT_FDCWD, path));
    return std::string{};
  };
  const auto removed = co_await run_worker(remove);
  if (!removed) co_return std::unexpected(removed.error());
  co_return Result<void>{};
}

// As the lease's user: the paths are of his choice. What he may not remove, or a file system that
// does not answer, holds nothing up.
Task<void> remove_as_user(const LeaseRecord& record) {
  using asio::experimental::awaitable_operators::operator||;
  Work remove = [uid = record.uid, gid = record.gid,
                 paths = record.command_temporaries]() -> Result<std::string> {
    Identity user;
    user.uid = uid;
    user.gid = gid;
    EMUD_TRY(become(user));
    for (const auto& path : paths) EMUD_TRY(remove_tree(AT_FDCWD, path));
    return std::string{};
  };
  asio::steady_timer limit{co_await asio::this_coro::executor, end_limit};
  const auto outcome =
      co_await (run_worker(std::move(remove)) || limit.async_wait(asio::use_awaitable));
  if (outcome.index() == 0 && std::get<0>(outcome)) co_return;
  log(Level::warning,
      fmt::format("{} of {} could not be removed{}", fmt::join(record.command_temporaries, " and "),
                  name_of(record),
                  outcome.index() == 0 ? ": " + std::get<0>(outcome).error().message()
                                       : std::string{" in time"}));
}

}  // namespace

Task<Result<void>> Leases::wait_ended(std::shared_ptr<Lease> lease) {
  while (leases_.contains(lease->record.id)) {
    if (lease->state == LeaseState::stuck) {
      co_return fail(Errc::timed_out, "end", name_of(lease->record),
                     "some of its processes do not end though they were killed",
                     "emud goes on trying; its log names them");
    }
    co_await lease->changed.wait();
  }
  co_return Result<void>{};
}

Task<void> Leases::do_end(std::shared_ptr<Lease> lease) {
  lease->patience.cancel();
  lease->time_is_over.cancel();
  if (lease->waiter) lease->waiter->cancel();
  if (lease->holder_pidfd) drop_holder(lease->record.id);
  const auto ended = co_await try_to_end(lease, lease->record.stuck ? retry_limit : end_limit);
  if (ended) co_return;
  become_stuck(*lease, ended.error());
  for (auto& hold : std::exchange(lease->holds, {})) co_await hold.release();
  spawn(executor_, go_on_ending(std::move(lease)));
}

// Its record stays, so that the next emud goes on, and so does its place among its user's leases.
void Leases::become_stuck(Lease& lease, const Error& error) {
  events_.publish(fault_event(fmt::format("{}; emud goes on trying", error.message())));
  lease.state = LeaseState::stuck;
  lease.record.stuck = true;
  const auto kept = [&]() -> Result<> {  // the keeper has removed it, perhaps
    EMUD_TRY(make_directories(lease.directory, 0755));
    return save(lease);
  }();
  if (!kept) log(kept.error());
  lease.changed.notify();
  activity_.changed();
}

Task<void> Leases::go_on_ending(std::shared_ptr<Lease> lease) {
  asio::steady_timer pause{executor_};
  for (;;) {
    pause.expires_after(retry_pause);
    co_await pause.async_wait(asio::use_awaitable);
    if (const auto ended = co_await try_to_end(lease, retry_limit)) co_return;
  }
}

Task<Result<void>> Leases::try_to_end(std::shared_ptr<Lease> lease,
                                      std::chrono::milliseconds limit) {
  try {
    auto ended = co_await end_processes(*lease, Clock::now() + limit);
    if (ended) ended = co_await clear(lease);
    co_return ended;
  } catch (const std::exception& error) {
    co_return fail(Errc::internal, "end", name_of(lease->record), error.what());
  }
}

Task<Result<void>> Leases::end_keeper(Lease& lease, Clock::time_point deadline) {
  if (lease.keeper_fd() < 0) co_return Result<void>{};
  const bool had_ended = co_await readable_before(lease.keeper_fd(), Clock::now());
  if (!had_ended) {
    ::syscall(SYS_pidfd_send_signal, lease.keeper_fd(), SIGKILL, nullptr, 0);
    if (!co_await readable_before(lease.keeper_fd(), deadline))
      co_return not_gone(lease, fmt::format("its keeper, process {},", lease.record.keeper));
  }
  orphans_.sweep();
  const auto status = lease.keeper.wait(0);
  if (had_ended && status && status->signal != 0) {
    log(Level::warning, fmt::format("the keeper of lease {} was killed by signal {}",
                                    lease.record.id, status->signal));
  }
  lease.adopted_keeper.reset();
  co_return Result<void>{};
}

// Several of these may hold the same processes; each goes as far as it can.
Task<Result<void>> Leases::end_processes(Lease& lease, Clock::time_point deadline) {
  auto ended = co_await end_keeper(lease, deadline);
  if (!lease.record.cgroup.empty()) {
    auto emptied = co_await end_cgroup(lease.record.cgroup, deadline);
    if (emptied) remove_user_cgroup(lease.record.cgroup);
    if (!emptied) ended = std::move(emptied);
  }
  if (const int place = lease.user_namespace.get(); place >= 0) {
    const Work sweep = [place, deadline]() -> Result<std::string> {
      EMUD_TRY(end_user_namespace(place, milliseconds_left(deadline)));
      return std::string{};
    };
    const auto swept = co_await run_worker(sweep, place);
    if (swept) {
      lease.user_namespace.reset();
    } else {
      ended = std::unexpected(swept.error());
    }
  }
  if (!co_await orphans_.wait_until_gone(lease.record.keeper, deadline) && ended)
    ended = not_gone(lease, "a process that its keeper left");
  co_return ended;
}

// The record goes before the holds: a handler without a holder is taken down by the next emud.
Task<Result<void>> Leases::clear(std::shared_ptr<Lease> lease) {
  for (const std::string& temporary : lease->record.temporaries) {
    if (::access(temporary.c_str(), F_OK) != 0 && errno == ENOENT) continue;
    auto removed = co_await remove_in_worker(temporary);  // the keeper was killed
    if (!removed) co_return removed;
  }
  if (!lease->record.command_temporaries.empty()) co_await remove_as_user(lease->record);
  if (auto removed = remove_tree(AT_FDCWD, lease->directory); !removed) co_return removed;
  for (auto& hold : std::exchange(lease->holds, {})) co_await hold.release();
  lease->holder_pidfd.reset();
  leases_.erase(lease->record.id);
  events_.publish(lease_event(event_kind::lease_ended, lease->record,
                              fmt::format("{} has ended", name_of(lease->record))));
  lease->changed.notify();
  activity_.changed();
  co_return Result<void>{};
}

}  // namespace emud
