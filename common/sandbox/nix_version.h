// Which Nix it is.
#pragma once

#include <optional>
#include <string>
#include <utility>

namespace emud {

using NixVersion = std::pair<int, int>;  // major, minor

// The version of that program of Nix's, a path or a name that is looked up in PATH. None where it
// does not tell. Runs it: some 10 ms.
[[nodiscard]] std::optional<NixVersion> nix_version(const std::string& program);

}  // namespace emud
