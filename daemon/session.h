// One connection: reads calls one after the other, answers each, and ends what it held when the
// client hangs up.
#pragma once

#include "daemon/async.h"

namespace emud {

struct Services;
struct PeerCredentials;

[[nodiscard]] Task<void> serve_connection(Services& services, UniqueFd socket,
                                          PeerCredentials peer);

}  // namespace emud
