// Leases that an earlier emud left: taken over, resumed by their holders, or cleaned up.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/file.h"
#include "base/log.h"
#include "base/retry.h"
#include "daemon/handover.h"
#include "daemon/leases.h"
#include "sandbox/strays.h"

namespace emud {
namespace {

bool has_ended(int pidfd) {
  pollfd entry{pidfd, POLLIN, 0};
  return uninterrupted([&] { return ::poll(&entry, 1, 0); }) != 0;
}

// The process of that pid and start time; none if it is gone.
UniqueFd open_process(pid_t pid, std::uint64_t start) {
  UniqueFd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  // The descriptor holds the process; only then is its start time compared.
  if (pidfd && process_start_time(pid).value_or(0) != start) pidfd.reset();
  return pidfd;
}

}  // namespace

std::shared_ptr<Lease> Leases::adopt(const LeaseRecord& record, UniqueFd holder) {
  if (record.stuck) return nullptr;
  const bool has_keeper = record.keeper != 0;
  if (!has_keeper && !record.granted) return nullptr;  // nobody was told of it
  UniqueFd process;
  if (has_keeper) {
    process = open_process(record.keeper, record.keeper_start);
  } else if (holder) {
    process = std::move(holder);
  } else {
    process = open_process(record.pid, record.pid_start);
  }
  if (!process || has_ended(process.get())) return nullptr;
  auto lease = std::make_shared<Lease>(executor_);
  lease->directory = options_.paths.lease(record.id);
  lease->record = record;
  const int pidfd = process.get();
  if (has_keeper && record.scope == "private" && record.cgroup.empty()) {
    if (auto place = open_user_namespace(record.keeper); place && !has_ended(pidfd))
      lease->user_namespace = *std::move(place);
  }
  (has_keeper ? lease->adopted_keeper : lease->holder_pidfd) = std::move(process);
  lease->state = has_keeper ? LeaseState::ready : LeaseState::reconnecting;
  leases_.emplace(record.id, lease);
  events_.publish(
      lease_event(event_kind::lease_adopted, record,
                  fmt::format("{} of an earlier emud was taken over", name_of(record))));
  spawn(executor_, follow_process(lease, pidfd));
  if (!has_keeper) store_holder(record.id, pidfd);
  if (!has_keeper && record.ends != 0) spawn(executor_, end_in_time(lease));
  return lease;
}

void Leases::expect_holders() {
  for (const auto& [id, lease] : leases_) {
    if (lease->state == LeaseState::reconnecting) spawn(executor_, await_holder(lease));
  }
}

Task<void> Leases::await_holder(std::shared_ptr<Lease> lease) {
  lease->patience.expires_after(std::chrono::seconds{options_.reconnect_seconds});
  boost::system::error_code resumed;
  co_await lease->patience.async_wait(asio::redirect_error(asio::use_awaitable, resumed));
  if (lease->state != LeaseState::reconnecting) co_return;
  log(Level::notice,
      fmt::format("{} ends: its holder, process {}, has not come back in {} s",
                  name_of(lease->record), lease->record.pid, options_.reconnect_seconds));
  post_end(std::move(lease));
}

Result<std::shared_ptr<Lease>> Leases::resume(std::string_view id,
                                              const PeerCredentials& peer) const {
  auto lease = find(id);
  const std::string object = fmt::format("lease {}", id.substr(0, 64));
  if (!lease || !lease->is_acquired() || lease->is_ending()) {
    return fail(Errc::not_found, "resume", object, "there is no such lease (any more)",
                "Acquire a new one; emud's log says why it ended");
  }
  // Both processes are held by their pidfds: if both live, one pid means one process.
  if (lease->record.uid != peer.uid || lease->record.pid != peer.pid ||
      has_ended(lease->holder_pidfd.get()) || has_ended(peer.pidfd.get())) {
    return fail(
        Errc::permission_denied, "resume", object,
        fmt::format("it is held by process {} of user {}", lease->record.pid, lease->record.uid),
        "Only the process that acquired it may come back for it");
  }
  if (lease->state != LeaseState::reconnecting) {
    return fail(Errc::busy, "resume", object, "a connection of yours holds it",
                "Nothing needs to be done");
  }
  lease->state = LeaseState::ready;
  lease->patience.cancel();
  return lease;
}

void Leases::discard(LeaseRecord record) {
  auto lease = std::make_shared<Lease>(executor_);
  lease->directory = options_.paths.lease(record.id);
  lease->record = std::move(record);
  leases_.emplace(lease->record.id, lease);
  post_end(std::move(lease));
}

void Leases::discard_stale_cgroups() {
  if (cgroup_prefix_.empty()) return;
  const auto slash = cgroup_prefix_.rfind('/');
  const std::string directory = cgroup_prefix_.substr(0, slash);
  const std::string prefix = cgroup_prefix_.substr(slash + 1);
  const auto names = list_directory(AT_FDCWD, directory);
  if (!names) return;
  for (const auto& user : *names) {
    if (!user.starts_with(prefix)) continue;
    const std::string path = fmt::format("{}/{}", directory, user);
    for (const auto& name : list_directory(AT_FDCWD, path).value_or(std::vector<std::string>{})) {
      if (name.contains('.') || leases_.contains(name)) continue;  // a control file; a lease
      log(Level::notice,
          fmt::format("ending cgroup {}/{}, of whose lease there is no record", user, name));
      LeaseRecord record;
      record.id = name;
      record.cgroup = fmt::format("{}/{}", path, name);
      discard(std::move(record));
    }
    ::rmdir(path.c_str());  // EBUSY: a lease is in it
  }
}

}  // namespace emud
