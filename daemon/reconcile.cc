#include "daemon/reconcile.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "base/file.h"
#include "base/log.h"
#include "daemon/services.h"
#include "daemon/sweep.h"

namespace emud {
namespace {

// The records of an earlier emud's leases: of one that cannot be read, or was just being made, the
// id alone.
std::vector<LeaseRecord> read_leases(const Paths& paths) {
  std::vector<LeaseRecord> records;
  const auto names = list_directory(AT_FDCWD, paths.leases());
  if (!names) {
    if (names.error().code != Errc::not_found) log(names.error());
    return records;
  }
  for (const auto& name : *names) {
    LeaseRecord record;
    record.id = name;
    const auto text = read_file(paths.lease(name) + "/lease.json");
    if (text) {
      if (auto parsed = lease_record_from_json(*text); parsed && parsed->id == name)
        record = *std::move(parsed);
    } else if (text.error().code != Errc::not_found) {
      log(text.error());
    }
    records.push_back(std::move(record));
  }
  return records;
}

// The workers of an earlier emud end with it, but perhaps a moment later.
Task<void> sweep_leftovers(Services& services) {
  using asio::experimental::awaitable_operators::operator||;
  constexpr std::chrono::seconds limit{10};
  asio::steady_timer timer{services.executor, limit};
  auto outcome = co_await (sweep(services, Sweep::all) || timer.async_wait(asio::use_awaitable));
  if (outcome.index() == 1) {
    log(Level::warning,
        "the store's temporary files are still in use by an earlier emud's process");
  } else if (const auto& swept = std::get<0>(outcome); !swept) {
    log(swept.error());
  }
}

}  // namespace

Task<void> reconcile(Services& services) {
  for (auto& record : read_leases(services.options.paths)) {
    UniqueFd holder;
    if (const auto kept = services.passed.holders.find(record.id);
        kept != services.passed.holders.end()) {
      holder = std::move(kept->second);
    }
    const auto lease = services.leases.adopt(record, std::move(holder));
    if (!lease) {
      log(Level::notice, fmt::format("cleaning up lease {}, which nobody holds", record.id));
      services.leases.discard(std::move(record));
      continue;
    }
    if (record.scope != "host") continue;
    for (const auto& name : record.architectures) {
      if (const auto architecture = find_architecture(name))
        lease->holds.push_back(services.host.adopt(**architecture, name_of(record)));
    }
  }
  for (const auto& [lease, holder] : std::exchange(services.passed.holders, {})) {
    if (holder) drop_holder(lease);  // of a lease of which there is no record
  }
  services.leases.discard_stale_cgroups();
  co_await services.leases.drain();
  co_await services.host.recover();
  co_await sweep_leftovers(services);
  services.store_changes.begin();
}

}  // namespace emud
