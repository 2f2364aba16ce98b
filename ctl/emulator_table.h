// `emuctl emulator list` for people.
#pragma once

#include <string>
#include <vector>

#include "wire/messages.h"

namespace emud::ctl {

// One row for each version of QEMU, the newest first: for which architectures it is installed, for
// which it is the default, how many there are in all, by how many leases and pins it is used; known
// problems are numbered and written out below. One line that says so where there is nothing. In at
// most `width` columns; 0: as wide as it is (fit.h).
[[nodiscard]] std::string versions_text(const std::vector<wire::ListedEmulator>& emulators,
                                        std::size_t width);

// One row for each emulator, with its digest.
[[nodiscard]] std::string details_text(const std::vector<wire::ListedEmulator>& emulators,
                                       std::size_t width);

// {"version":1,"emulators":[...]} and a line break.
[[nodiscard]] std::string listed_json(const std::vector<wire::ListedEmulator>& emulators);

}  // namespace emud::ctl
