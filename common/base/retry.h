// System calls that a signal cuts short.
#pragma once

#include <cerrno>

namespace emud {

// What `call` returns, made again for as long as a signal cuts it short (signal(7): -1 and EINTR).
// Not for calls that would then wait their whole time once more.
template <class Call>
[[nodiscard]] auto uninterrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

}  // namespace emud
