// What emud-fetcher may not do once it touches data that nobody vouches for.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace emud::fetcher {

// Each gives up, for good, what the work does not need; descriptors that are open stay usable:
//  - no capability gained by execve(2) (PR_SET_NO_NEW_PRIVS), not to be traced or looked into by
//    others, no core file, 512 MiB of memory;
//  - no other program or process, no socket of another family than the internet's, none of the
//    system calls that syscall_filter.h names (seccomp(2));
//  - with Landlock (landlock(7), Linux >= 5.13): no file made, written, moved or removed anywhere,
//    none read but what is named below, and as far as the kernel's version of it goes no TCP port
//    to listen on, no signal and no abstract socket to anything outside.
// The user, the environment and the time limits are its parent's business (emulator/unprivileged).
// They fail, and then nothing may be read, when one of these is refused; a kernel without Landlock
// or without seccomp filters is no failure.

// For opening archives: no thread, no new descriptor, no socket, no file to read.
[[nodiscard]] Result<> confine_unpacking();

// For downloading: internet sockets and threads (libcurl resolves names in one), the files that
// resolving names needs and the folders of shared libraries to read. It writes at most
// max_file_size bytes to any file.
[[nodiscard]] Result<> confine_downloading(std::uint64_t max_file_size);

}  // namespace emud::fetcher
