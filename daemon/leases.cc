#include "daemon/leases.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

#include "base/file.h"
#include "base/log.h"
#include "daemon/handover.h"

namespace emud {
namespace {

std::string new_id() {
  std::uint32_t value = 0;
  while (::getrandom(&value, sizeof value, 0) != sizeof value) {
  }
  return fmt::format("{:08x}", value);
}

constexpr std::chrono::seconds keeper_patience{3};  // beyond kill-after

void send_signal(int pidfd, int number) {
  ::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0);
}

// FNV-1a, 32 bits: a short name for a path.
std::uint32_t fnv1a(std::string_view text) {
  std::uint32_t hash = 2166136261U;
  for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 16777619U;
  return hash;
}

}  // namespace

Leases::Leases(const asio::any_io_executor& executor, const Options& options, Orphans& orphans,
               Events& events, Activity& activity)
    : executor_(executor),
      options_(options),
      orphans_(orphans),
      events_(events),
      activity_(activity),
      endings_(executor) {
  const auto own = own_cgroup();
  if (own && ::access(own->c_str(), W_OK) == 0) {
    // Several emuds may share a cgroup: each knows its own by its runtime directory.
    cgroup_prefix_ =
        fmt::format("{}/{}{:08x}-", *own, user_cgroup_prefix, fnv1a(options_.paths.runtime));
  } else {
    log(Level::notice,
        "no cgroup v2 can be written here: leases are ended by following their processes");
  }
}

Result<std::shared_ptr<Lease>> Leases::open(LeaseRecord record) {
  constexpr std::string_view raise =
      "End some leases (`emuctl status`), or raise {} in the configuration of emud";
  const auto own = static_cast<std::size_t>(std::ranges::count_if(
      leases_, [&](const auto& entry) { return entry.second->record.payer == record.payer; }));
  // A user's first lease is always granted: the others cannot keep him out.
  if (own > 0 && leases_.size() >= options_.max_leases) {
    return fail(Errc::limit_exceeded, "open", "a lease",
                fmt::format("{} leases are open", leases_.size()),
                fmt::format(raise, "max-leases"));
  }
  if (own >= options_.max_leases_per_user) {
    return fail(Errc::limit_exceeded, "open", "a lease",
                fmt::format("user {} has {} leases open", record.payer, own),
                fmt::format(raise, "max-leases-per-user"));
  }
  do {
    record.id = new_id();
  } while (leases_.contains(record.id));
  auto lease = std::make_shared<Lease>(executor_);
  lease->record = std::move(record);
  if (!cgroup_prefix_.empty()) {
    lease->record.cgroup =
        fmt::format("{}{}/{}", cgroup_prefix_, lease->record.payer, lease->record.id);
  }
  lease->directory = options_.paths.lease(lease->record.id);
  const auto recorded = [&]() -> Result<> {
    EMUD_TRY(make_directories(lease->directory, 0755));
    return save(*lease);
  }();
  if (!recorded) {
    [[maybe_unused]] const auto removed = remove_tree(AT_FDCWD, lease->directory);
    return std::unexpected(recorded.error());
  }
  leases_.emplace(lease->record.id, lease);
  events_.publish(lease_event(event_kind::lease_opened, lease->record,
                              fmt::format("{} opens", name_of(lease->record))));
  activity_.changed();
  return lease;
}

Result<> Leases::save(const Lease& lease) const {
  EMUD_ASSIGN(const UniqueFd directory, open_at(AT_FDCWD, lease.directory, O_RDONLY | O_DIRECTORY));
  return replace_file(directory.get(), "lease.json", to_json(lease.record), 0644,
                      Durability::until_reboot);
}

void Leases::attach_keeper(std::shared_ptr<Lease> lease) {
  if (lease->is_ending()) return;
  lease->state = LeaseState::ready;
  tell_ready(*lease);
  const int pidfd = lease->keeper_fd();
  spawn(executor_, follow_process(std::move(lease), pidfd));
  activity_.changed();
}

Result<> Leases::attach_holder(const std::shared_ptr<Lease>& lease, const PeerCredentials& holder) {
  EMUD_ASSIGN(lease->holder_pidfd, holder.pidfd.duplicate());
  EMUD_ASSIGN(lease->record.pid_start, process_start_time(holder.pid));
  lease->record.granted = true;
  EMUD_TRY(save(*lease));
  lease->state = LeaseState::ready;
  tell_ready(*lease);
  store_holder(lease->record.id, lease->holder_pidfd.get());
  spawn(executor_, follow_process(lease, lease->holder_pidfd.get()));
  if (lease->record.ends != 0) spawn(executor_, end_in_time(lease));
  return {};
}

// One with a command is its keeper's to end.
Task<void> Leases::end_in_time(std::shared_ptr<Lease> lease) {
  lease->time_is_over.expires_after(seconds_left(lease->record));
  boost::system::error_code ended;
  co_await lease->time_is_over.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  if (ended || lease->is_ending()) co_return;
  log(Level::notice, fmt::format("{} ends: its time is over (lease-seconds of emud, or what was "
                                 "asked for)",
                                 name_of(lease->record)));
  post_end(std::move(lease));
}

void Leases::tell_ready(const Lease& lease) {
  events_.publish(lease_event(event_kind::lease_ready, lease.record,
                              fmt::format("{} is ready", name_of(lease.record))));
}

// pidfd_open(2): readable once the process has ended. The lease owns the descriptor. It is reaped
// by do_end.
Task<void> Leases::follow_process(std::shared_ptr<Lease> lease, int pidfd) {
  if (lease->is_ending()) co_return;
  lease->waiter = std::make_unique<FdWaiter>(executor_, pidfd);
  try {
    co_await lease->waiter->readable();
  } catch (const boost::system::system_error&) {
    co_return;  // cancelled: the lease ended otherwise
  }
  post_end(std::move(lease));
}

void Leases::post_end(std::shared_ptr<Lease> lease) {
  if (lease->is_ending()) return;
  lease->state = LeaseState::ending;
  lease->changed.notify();
  endings_.post(do_end(std::move(lease)));
}

Task<Result<void>> Leases::end(std::shared_ptr<Lease> lease) {
  post_end(lease);
  return wait_ended(std::move(lease));
}

void Leases::post_end_keeper(std::shared_ptr<Lease> lease) {
  if (lease->is_ending()) return;
  send_signal(lease->keeper_fd(), SIGTERM);
  spawn(executor_, insist(std::move(lease)));
}

Task<void> Leases::insist(std::shared_ptr<Lease> lease) {
  lease->patience.expires_after(options_.kill_after() + keeper_patience);
  boost::system::error_code ended;
  co_await lease->patience.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  if (!ended) post_end(std::move(lease));
}

Task<void> Leases::connection_ended(std::shared_ptr<Lease> lease) {
  if (handing_over_) co_return;
  [[maybe_unused]] const auto ended = co_await end(std::move(lease));  // the log says it if not
}

void Leases::end_acquired() {
  for (const auto& [id, lease] : std::map{leases_}) {
    if (lease->is_acquired()) post_end(lease);
  }
}

bool Leases::need_emud() const {
  return std::ranges::any_of(leases_, [](const auto& entry) {
    const Lease& lease = *entry.second;
    return lease.record.scope != "private" || lease.record.keeper == 0 ||
           lease.state != LeaseState::ready;
  });
}

std::shared_ptr<Lease> Leases::find(std::string_view id) const {
  const auto found = leases_.find(id);
  return found == leases_.end() ? nullptr : found->second;
}

std::vector<std::string> Leases::users_of(std::string_view digest) const {
  std::vector<std::string> ids;
  for (const auto& [id, lease] : leases_) {
    const auto& used = lease->record.emulators;
    if (std::ranges::find(used, digest) != used.end()) ids.push_back(id);
  }
  return ids;
}

std::vector<wire::LeaseInfo> Leases::list() const {
  std::vector<wire::LeaseInfo> result;
  for (const auto& [id, lease] : leases_) result.push_back(lease->info());
  return result;
}

}  // namespace emud
