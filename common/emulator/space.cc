#include "emulator/space.h"

#include <fmt/format.h>

#include <cerrno>

namespace emud {

Error with_space_hint(Error error, std::string_view store) {
  constexpr std::string_view hint = "Free some space on its filesystem, then install again";
  if (error.errno_value != ENOSPC && error.errno_value != EDQUOT) return error;
  if (error.hint == hint) return error;
  if (!error.object.starts_with('/')) error.object = fmt::format("{} to {}", error.object, store);
  error.hint = hint;
  return error;
}

}  // namespace emud
