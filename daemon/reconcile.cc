#include "daemon/reconcile.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <set>

#include "base/file.h"
#include "base/log.h"
#include "daemon/services.h"

namespace emud {
namespace {

// The records of an earlier emud's leases. A directory without one that can be read was just being
// made: nothing was started.
std::vector<LeaseRecord> read_leases(const Paths& paths) {
  std::vector<LeaseRecord> records;
  const auto names = list_directory(AT_FDCWD, paths.leases());
  if (!names) return records;
  for (const auto& name : *names) {
    LeaseRecord record;
    record.id = name;
    if (const auto text = read_file(paths.lease(name) + "/lease.json")) {
      if (auto parsed = lease_record_from_json(*text); parsed && parsed->id == name)
        record = *std::move(parsed);
    }
    records.push_back(std::move(record));
  }
  return records;
}

bool is_running(const LeaseRecord& record) {
  return record.keeper > 0 && process_start_time(record.keeper) == record.keeper_start;
}

Task<void> remove_stale(Services& services, LeaseRecord record) {
  auto lease = std::make_shared<Lease>();
  lease->directory = services.options.paths.lease(record.id);
  lease->record = std::move(record);
  log(Level::notice, fmt::format("cleaning up lease {}, whose keeper is gone", lease->record.id));
  co_await services.leases.end(std::move(lease));
}

}  // namespace

Task<void> reconcile(Services& services) {
  std::vector<LeaseRecord> running;
  std::set<std::string> held;
  for (auto& record : read_leases(services.options.paths)) {
    if (!is_running(record)) {
      co_await remove_stale(services, std::move(record));
      continue;
    }
    if (record.scope == "host")
      held.insert(record.architectures.begin(), record.architectures.end());
    running.push_back(std::move(record));
  }
  co_await services.host.recover({held.begin(), held.end()});
  for (auto& record : running) {
    std::vector<HostHold> holds;
    if (record.scope == "host") {
      for (const auto& architecture : record.architectures)
        holds.push_back(services.host.adopt(architecture));
    }
    const std::string id = record.id;
    if (services.leases.adopt(record, std::move(holds))) {
      log(Level::notice, fmt::format("took over the running lease {}", id));
    } else {
      co_await remove_stale(services, std::move(record));
    }
  }
  if (auto swept = services.emulators.store().sweep(); !swept) log(swept.error());
}

}  // namespace emud
