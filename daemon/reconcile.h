// What an earlier emud left behind: running keepers are taken over again, everything else goes.
#pragma once

#include "daemon/async.h"

namespace emud {

struct Services;

[[nodiscard]] Task<void> reconcile(Services& services);

}  // namespace emud
