// How a fuzz target says what must hold: libFuzzer keeps the input of a run that aborts.
#pragma once

#include <cstdlib>

namespace emud {

inline void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace emud
