// What several methods do with the architectures of a request.
#pragma once

#include <string>
#include <vector>

#include "daemon/async.h"
#include "daemon/services.h"
#include "emulator/wanted.h"

namespace emud {

// wanted_architectures(), sorted by whether they need a handler here.
[[nodiscard]] Task<Result<Architectures>> resolve_architectures(
    Services& services, const std::vector<std::string>& names);

// One host handler more that the lease holds, of that version (empty: the default). notes: what its
// user should know of the emulator. was_ended() where somebody has ended the lease meanwhile.
[[nodiscard]] Task<Result<void>> hold_for(Services& services, Lease& lease,
                                          const Architecture& architecture, std::string version,
                                          std::vector<std::string>& notes);

}  // namespace emud
