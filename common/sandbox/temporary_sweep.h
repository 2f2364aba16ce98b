// Temporary directories of processes without emud, which lie where others have theirs, in /tmp
// perhaps. A lock (flock(2)) is held on each as long as somebody lives who will remove it: for a
// lease its keeper. When that and emuctl are killed together, the next emuctl sees it. Where there
// is no PID namespace, the lease's processes live on then.
#pragma once

#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace emud {

inline constexpr std::string_view rootless_prefix = "emud-rootless-";  // of leases' names

// Keeps a directory just made from being swept until every copy of the descriptor is closed.
// not_found where it was swept before.
[[nodiscard]] Result<UniqueFd> hold_temporary(const std::string& path);

// Ends the processes whose TMPDIR a directory of this user's with that prefix is that nobody holds,
// with all in their user namespace, and removes it. Not in a folder where another user could put
// something else of this user's in their place: others may write it and it has no sticky bit, or it
// belongs to another user than root. What cannot be removed stays.
void sweep_temporaries(const std::string& folder, std::string_view prefix);

}  // namespace emud
