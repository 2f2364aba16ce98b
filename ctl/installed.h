// The emulators that are installed, wherever the store is.
#pragma once

#include <optional>
#include <vector>

#include "ctl/client.h"
#include "emulator/store.h"

namespace emud::ctl {

// The emulators emud has or, without a client, those of the caller's own store and the system's.
[[nodiscard]] Result<std::vector<wire::Emulator>> installed_emulators(
    std::optional<Client>& client);

// {"version":1,"emulators":[...]} and a line break.
[[nodiscard]] std::string emulators_json(const std::vector<wire::Emulator>& emulators);

}  // namespace emud::ctl
