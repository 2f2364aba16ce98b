#include "daemon/request.h"

#include "daemon/host_probe.h"

namespace emud {

Task<Result<Architectures>> resolve_architectures(Services& services,
                                                  const std::vector<std::string>& names) {
  const auto wanted = wanted_architectures(services.emulators.store(), names);
  if (!wanted) co_return std::unexpected(wanted.error());
  Architectures result;
  for (const Architecture* architecture : *wanted) {
    if (co_await is_native(*architecture)) {
      result.native.emplace_back(architecture->name);
    } else {
      result.foreign.push_back(architecture);
    }
  }
  co_return result;
}

Task<Result<void>> hold_for(Services& services, Lease& lease, const Architecture& architecture,
                            std::string version, std::vector<std::string>& notes) {
  auto hold = co_await services.host.hold(architecture, version, name_of(lease.record));
  if (!hold) co_return std::unexpected(hold.error());
  if (lease.is_ending()) co_return was_ended(lease);
  const UsedEmulator& emulator = hold->emulator();
  services.emulators.add_notes(notes, architecture, emulator, version);
  lease.record.emulators.push_back(emulator.digest);
  lease.holds.push_back(*std::move(hold));
  co_return Result<void>{};
}

}  // namespace emud
