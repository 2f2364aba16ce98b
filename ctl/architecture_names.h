// Architecture names as users type them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace emud::ctl {

// QEMU's names of the architectures in `words`, each of which is a name, an alias, or several with
// commas between them; in the order given, each once. unknown_architecture, with suggestions, for
// any other word; invalid_argument for an empty one.
[[nodiscard]] Result<std::vector<std::string>> architecture_names(
    const std::vector<std::string>& words);

}  // namespace emud::ctl
