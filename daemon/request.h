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

}  // namespace emud
