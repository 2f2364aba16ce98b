// Signals with somebody else's rights.
#pragma once

#include <sys/types.h>

#include "sandbox/identity.h"

namespace emud {

// kill(2) of a process group by a child that has become that identity first: a number whose meaning
// is his to choose hits nobody whom he could not hit himself. Whether it hit anybody. Waits for
// the child, which is not held up by anything.
[[nodiscard]] bool signal_group_as(const Identity& identity, pid_t group, int number);

}  // namespace emud
