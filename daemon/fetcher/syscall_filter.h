// A seccomp filter (seccomp(2)) for what Landlock and the user do not stop. Written by hand: the
// list is short, and libseccomp would be one more library in front of hostile data.
#pragma once

#include "base/result.h"

namespace emud::fetcher {

enum class Allowance {
  nothing,     // no socket, no thread
  networking,  // internet sockets; threads
};

// From now on this process gets EPERM for execve(2), for new processes, for reaching into other
// processes (ptrace, process_vm_*, pidfd_getfd, signals, other processes' limits), for namespaces,
// mounts, io_uring, bpf, keys, System V IPC and message queues, for listening, for outliving its
// parent (PR_SET_PDEATHSIG); ENOSYS for clone3(2), whose flags a filter cannot see (the C library
// falls back to clone(2)); EAFNOSUPPORT for sockets of any family but the internet's, and so for
// every AF_UNIX socket in the filesystem, which Landlock does not cover. A system call of another
// architecture's table ends the process. Needs no_new_privs. Nothing is done on a kernel without
// seccomp filters and on CPUs that are neither x86_64 nor aarch64.
[[nodiscard]] Result<> filter_system_calls(Allowance allowance);

}  // namespace emud::fetcher
