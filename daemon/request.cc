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

}  // namespace emud
