// What emud-fetcher may not do once it touches data that nobody vouches for.
#pragma once

#include "base/result.h"

namespace emud::fetcher {

// Gives up, for good, what unpacking does not need; the descriptors that are open stay usable:
//  - no new descriptor, no child process or thread, no core file, 512 MiB of memory;
//  - no capability gained by execve(2) (PR_SET_NO_NEW_PRIVS), not to be traced by others;
//  - with Landlock (landlock(7), Linux >= 5.13): no file opened, made or removed anywhere, and as
//  far
//    as the kernel's version of it goes no TCP connection, no signal and no abstract socket to
//    anything outside.
// The user, the environment and the time limits are its parent's business (emulator/unprivileged).
// Fails, and then nothing may be read, when one of these is refused; a kernel without Landlock is
// no failure.
[[nodiscard]] Result<> confine();

}  // namespace emud::fetcher
