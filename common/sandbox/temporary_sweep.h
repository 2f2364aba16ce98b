// Temporary directories of leases without emud, which lie where others have theirs, in /tmp
// perhaps. The keeper holds a lock (flock(2)) on them as long as it lives: when it and emuctl are
// killed together, the next lease sees that nobody will remove them any more. Where there is no PID
// namespace, the lease's processes live on then.
#pragma once

#include <string>
#include <string_view>

#include "base/unique_fd.h"

namespace emud {

inline constexpr std::string_view rootless_prefix = "emud-rootless-";  // of their names

// Keeps a directory just made from being swept until every copy of the descriptor is closed.
// not_found where it was swept before.
[[nodiscard]] Result<UniqueFd> hold_temporary(const std::string& path);

// Ends the processes whose TMPDIR such a directory of this user's is that nobody holds, with all in
// their user namespace, and removes it. Not in a folder where another user
// could put something else of this user's in their place: others may write it and it has no sticky
// bit, or it belongs to another user than root. What cannot be removed stays.
void sweep_temporaries(const std::string& folder);

}  // namespace emud
