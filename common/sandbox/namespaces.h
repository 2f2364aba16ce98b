// User and mount namespaces, and who is mapped in them (user_namespaces(7)).
#pragma once

#include <sys/types.h>

#include "base/result.h"

namespace emud {

// Maps every id that this process's user namespace has to itself in a child's new one: all of them
// on a plain machine, some in a container (the kernel takes no other, user_namespaces(7)). Needs
// CAP_SETUID and CAP_SETGID here.
[[nodiscard]] Result<> map_identity(pid_t child);

// For the calling process, just after it made its user namespace: maps `inside` to the one id
// `outside` of the parent namespace. setgroups is denied first, as the kernel demands of the
// unprivileged (user_namespaces(7)).
[[nodiscard]] Result<> map_self(uid_t inside, uid_t outside, gid_t group_inside,
                                gid_t group_outside);

// The failure of unshare(2) or clone3(2) with that errno to make `what`, with what to do about it.
[[nodiscard]] Failure namespace_failure(int error, std::string_view what);

// unshare(2) with a message that tells a missing right from a missing feature. flags: CLONE_NEW*;
// what: for the error.
[[nodiscard]] Result<> unshare_namespaces(int flags, std::string_view what);

// Ubuntu's restriction (since 23.10): an unprivileged process gets its user namespace, and no
// capability in it.
[[nodiscard]] bool apparmor_restricts_user_namespaces();

// What to do about a refused user namespace, from what the machine says of itself (sysctls,
// AppArmor).
[[nodiscard]] std::string_view user_namespace_hint();

}  // namespace emud
