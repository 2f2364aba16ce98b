// Users' names and groups. The system's databases may be slow or remote (nsswitch.conf(5)): they
// are asked in a helper process only, with a time limit.
#pragma once

#include <sys/types.h>

#include <string>

#include "daemon/async.h"

namespace emud {

// Whether the user is in the group, by getgrouplist(3), asked anew each time so that a change
// counts at once. An error (timed_out, internal) where that cannot be found out; an unknown user or
// group is no membership.
[[nodiscard]] Task<Result<bool>> is_member(uid_t user, std::string group);

// The user's name by getpwuid(3), as every program of his sees it; the number as text where there
// is none. The same errors.
[[nodiscard]] Task<Result<std::string>> user_name(uid_t user);

// For messages: the user's name out of /etc/passwd, which never blocks; the number as text for whom
// that does not know.
[[nodiscard]] std::string display_name(uid_t user);

// Who answers for what that user does: the owner of a subordinate uid (subuid(5)), whoever has many
// of them; else the user.
[[nodiscard]] uid_t payer_of(uid_t user);

// The group's number out of /etc/group; -1 (nobody's) for one that is not there.
[[nodiscard]] gid_t local_group(const std::string& group);

}  // namespace emud
