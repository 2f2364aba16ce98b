// The store's slow work that no one request owns.
#pragma once

#include "daemon/services.h"

namespace emud {

// Store::sweep in a helper process.
[[nodiscard]] Task<Result<void>> sweep(Services& services, Sweep mode);

}  // namespace emud
