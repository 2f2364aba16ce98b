// The text of the .varlink files, compiled in.
#pragma once

#include <span>
#include <string_view>

namespace emud::wire {

struct Interface {
  std::string_view name;
  std::string_view description;
};

// io.emud.Manager, io.emud.Keeper, org.varlink.service.
[[nodiscard]] std::span<const Interface> interfaces();

}  // namespace emud::wire
