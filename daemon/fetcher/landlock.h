// Landlock (landlock(7), Documentation/userspace-api/landlock.rst): files and ports out of reach.
#pragma once

#include <span>

#include "base/result.h"

namespace emud::fetcher {

enum class Network { none, client };

// From now on this process, and what it starts, opens no file but these for reading (of a
// directory: all below it; what does not exist is left out) and makes or changes none.
// Network::client may connect, none may not; neither may listen (TCP, Linux >= 6.7). Fails when the
// kernel has Landlock and refuses; without Landlock nothing is done.
[[nodiscard]] Result<> enter_landlock(std::span<const char* const> readable, Network network);

}  // namespace emud::fetcher
