// A full disk: the one failure of an installation that its user can repair.
#pragma once

#include <string_view>
#include <utility>

#include "base/result.h"

namespace emud {

// An error of ENOSPC or EDQUOT says what was written to which store, where it does not name a path
// itself, and what to do; any other is returned as it is. Doing it twice is doing it once.
[[nodiscard]] Error with_space_hint(Error error, std::string_view store);

template <class T>
[[nodiscard]] Result<T> with_space_hint(Result<T> result, std::string_view store) {
  if (!result) result = std::unexpected(with_space_hint(std::move(result).error(), store));
  return result;
}

}  // namespace emud
