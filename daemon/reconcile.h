// What an earlier emud left behind: running keepers are taken over again, everything else goes.
// What cannot be ended in a few seconds is left to Leases, which go on trying.
#pragma once

#include "daemon/async.h"

namespace emud {

struct Services;

[[nodiscard]] Task<void> reconcile(Services& services);

}  // namespace emud
