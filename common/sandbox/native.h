// What this CPU runs without any handler.
#pragma once

#include "arch/architecture.h"

namespace emud {

// Always true for the machine's own architecture; for those of native_candidates() a probe decides,
// run in an empty private scope so that no handler of the host's can answer for the CPU (where no
// private scope is to be had, the host's handlers are seen). Blocks for the time of a probe. False
// if it cannot be found out.
[[nodiscard]] bool runs_natively(const Architecture& architecture);

// The part of runs_natively() that needs no probe: true, false, or unknown.
enum class Native { yes, no, ask_probe };
[[nodiscard]] Native known_native(const Architecture& architecture);

}  // namespace emud
