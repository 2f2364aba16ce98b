// Work with somebody else's rights.
#pragma once

#include <functional>

#include "sandbox/identity.h"

namespace emud {

// Runs `work` in a child that has become that identity first: numbers and paths of his choice lead
// it to nothing that he could not reach himself. What it returned; false as well where it could not
// be run, or has not ended after timeout_ms (-1: for ever) and was killed.
[[nodiscard]] bool run_as(const Identity& identity, int timeout_ms,
                          const std::function<bool()>& work);

}  // namespace emud
