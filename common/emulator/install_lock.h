// The same thing asked for by several processes of one user at once is fetched by one of them.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/paths.h"
#include "base/unique_fd.h"
#include "emulator/digest.h"

namespace emud {

// The lock of what hashes to that digest, a package or an emulator, held as long as the descriptor
// is open (flock(2)): in <runtime>/installs, and gone with its process however that ends. Waits for
// whoever has it, and calls `waiting` before. The file stays: removing it would let two processes
// lock two files of one name. The errors of open(2) and flock(2), with the file's path.
[[nodiscard]] Result<UniqueFd> lock_install(const Paths& paths, const Digest& digest,
                                            const std::function<void()>& waiting);

}  // namespace emud
