#include "daemon/leases.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/file.h"
#include "base/log.h"
#include "daemon/worker.h"

namespace emud {
namespace {

std::string new_id() {
  std::uint32_t value = 0;
  while (::getrandom(&value, sizeof value, 0) != sizeof value) {
  }
  return fmt::format("{:08x}", value);
}

// Killed processes leave a cgroup one by one; inotify says when cgroup.events changes
// (cgroup-v2.rst).
Task<void> wait_until_empty(const Cgroup& cgroup) {
  const UniqueFd watch{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  if (!watch ||
      ::inotify_add_watch(watch.get(), (cgroup.path() + "/cgroup.events").c_str(), IN_MODIFY) < 0)
    co_return;
  FdWaiter changed{co_await asio::this_coro::executor, watch.get()};
  for (;;) {
    const auto populated = cgroup.populated();
    if (!populated || !*populated) co_return;
    co_await changed.readable();
    char events[1024];
    while (::read(watch.get(), events, sizeof events) > 0) {
    }
  }
}

}  // namespace

Leases::Leases(const asio::any_io_executor& executor, const Options& options, Orphans& orphans)
    : executor_(executor),
      options_(options),
      orphans_(orphans),
      drained_(
          std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max())) {
  const auto own = own_cgroup();
  if (own && ::access(own->c_str(), W_OK) == 0) {
    cgroup_base_ = *own;
  } else {
    log(Level::notice,
        "no cgroup v2 can be written here: leases are ended by following their processes");
  }
}

Result<std::shared_ptr<Lease>> Leases::open(LeaseRecord record) {
  constexpr std::string_view raise =
      "End some leases (`emuctl status`), or raise {} in the configuration of emud";
  if (leases_.size() >= options_.max_leases) {
    return fail(Errc::limit_exceeded, "open", "a lease",
                fmt::format("{} leases are open", leases_.size()),
                fmt::format(raise, "max-leases"));
  }
  const auto own = static_cast<std::size_t>(std::ranges::count_if(
      leases_, [&](const auto& entry) { return entry.second->record.uid == record.uid; }));
  if (own >= options_.max_leases_per_user) {
    return fail(Errc::limit_exceeded, "open", "a lease",
                fmt::format("user {} has {} leases open", record.uid, own),
                fmt::format(raise, "max-leases-per-user"));
  }
  do {
    record.id = new_id();
  } while (leases_.contains(record.id));
  auto lease = std::make_shared<Lease>();
  lease->record = std::move(record);
  if (!cgroup_base_.empty())
    lease->record.cgroup = fmt::format("{}/emud-lease-{}", cgroup_base_, lease->record.id);
  lease->directory = options_.paths.lease(lease->record.id);
  EMUD_TRY(make_directories(lease->directory, 0755));
  EMUD_TRY(save(*lease));
  leases_.emplace(lease->record.id, lease);
  return lease;
}

Result<> Leases::save(const Lease& lease) const {
  EMUD_ASSIGN(const UniqueFd directory, open_at(AT_FDCWD, lease.directory, O_RDONLY | O_DIRECTORY));
  return replace_file(directory.get(), "lease.json", to_json(lease.record), 0644,
                      Durability::until_reboot);
}

void Leases::attach_keeper(std::shared_ptr<Lease> lease, Child keeper) {
  asio::co_spawn(executor_, follow(std::move(lease), std::move(keeper)), asio::detached);
}

Task<void> Leases::follow(std::shared_ptr<Lease> lease, Child keeper) {
  const ExitStatus status = co_await wait_for(keeper);
  if (status.signal != 0) {
    log(Level::warning, fmt::format("the keeper of lease {} was killed by signal {}",
                                    lease->record.id, status.signal));
  }
  co_await end(std::move(lease));
}

Task<void> Leases::follow_adopted(std::shared_ptr<Lease> lease) {
  FdWaiter ended{executor_, lease->keeper_pidfd.get()};
  co_await ended.readable();
  co_await end(lease);
}

bool Leases::adopt(LeaseRecord record, std::vector<HostHold> holds) {
  const long fd = ::syscall(SYS_pidfd_open, record.keeper, 0);
  UniqueFd pidfd{static_cast<int>(fd)};
  // The descriptor holds the process; only then is its start time compared.
  if (!pidfd || process_start_time(record.keeper) != record.keeper_start) return false;
  auto lease = std::make_shared<Lease>();
  lease->directory = options_.paths.lease(record.id);
  lease->record = std::move(record);
  lease->state = LeaseState::ready;
  lease->keeper_pidfd = std::move(pidfd);
  lease->holds = std::move(holds);
  leases_.emplace(lease->record.id, lease);
  asio::co_spawn(executor_, follow_adopted(std::move(lease)), asio::detached);
  return true;
}

Task<void> Leases::end(std::shared_ptr<Lease> lease) {
  if (lease->state == LeaseState::ending) co_return;
  lease->state = LeaseState::ending;
  if (!lease->record.cgroup.empty()) {
    if (const auto cgroup = Cgroup::open(lease->record.cgroup)) {
      if (auto killed = cgroup->kill(); !killed) log(killed.error());
      co_await wait_until_empty(*cgroup);
      if (auto removed = cgroup->remove(); !removed) log(removed.error());
    }
  }
  if (lease->record.keeper != 0)
    co_await orphans_.wait_until_gone();  // there are some if the keeper was killed
  if (::access(lease->record.temporary.c_str(), F_OK) == 0) {  // the keeper was killed
    const Work remove = [path = lease->record.temporary]() -> Result<std::string> {
      EMUD_TRY(remove_tree(AT_FDCWD, path));
      return std::string{};
    };
    if (auto removed = co_await run_worker(remove); !removed) log(removed.error());
  }
  if (auto removed = remove_tree(AT_FDCWD, lease->directory); !removed) log(removed.error());
  for (auto& hold : lease->holds) co_await hold.release();
  lease->holds.clear();
  leases_.erase(lease->record.id);
  log(Level::info, fmt::format("lease {} of user {} ended", lease->record.id, lease->record.uid));
  if (const auto waiting = endings_.extract(lease->record.id)) waiting.mapped()->cancel();
}

void Leases::post_end(std::shared_ptr<Lease> lease) {
  ++posted_;
  asio::co_spawn(executor_, end(std::move(lease)), [this](const std::exception_ptr&) {
    if (--posted_ == 0) drained_->cancel();
  });
}

Task<void> Leases::drain() {
  boost::system::error_code ignored;
  while (posted_ > 0)
    co_await drained_->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

Task<void> Leases::wait_ended(std::shared_ptr<Lease> lease) {
  if (!leases_.contains(lease->record.id)) co_return;
  auto& timer = endings_[lease->record.id];
  if (!timer)
    timer = std::make_shared<asio::steady_timer>(executor_, asio::steady_timer::time_point::max());
  const auto waited = timer;
  boost::system::error_code ignored;
  co_await waited->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

std::shared_ptr<Lease> Leases::find(std::string_view id) const {
  const auto found = leases_.find(id);
  return found == leases_.end() ? nullptr : found->second;
}

std::vector<wire::LeaseInfo> Leases::list() const {
  std::vector<wire::LeaseInfo> result;
  for (const auto& [id, lease] : leases_) result.push_back(lease->info());
  return result;
}

}  // namespace emud
