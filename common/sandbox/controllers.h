// Where leases' cgroups are made, and with which controllers: Documentation/admin-guide/
// cgroup-v2.rst, systemd's CGROUP_DELEGATION.
//
// A cgroup with processes of its own cannot hand controllers to its children ("no internal
// processes"). In one that systemd has delegated (Delegate=, told by an extended attribute) emud
// therefore moves into its child daemon_cgroup; anywhere else it takes the controllers that are
// handed down already and moves nobody.
#pragma once

#include <string>

#include "base/result.h"
#include "sandbox/cgroup.h"

namespace emud {

// Hands pids, memory and cpu to the children of `base`, as far as it has them. True: all that it
// has are handed down. False: it is not delegated, and was left as it is.
[[nodiscard]] Result<bool> enable_controllers(const std::string& base);

// The same for a cgroup without processes of its own.
[[nodiscard]] Result<> pass_controllers_on(const Cgroup& cgroup);

// Whether this process was started in daemon_cgroup, where DelegateSubgroup= of systemd 254 and
// newer puts it: then the controllers can stay handed down while no emud runs. To be asked before
// enable_controllers, which moves it there.
[[nodiscard]] bool is_in_daemon_cgroup();

// Whether `base` is delegated and hands controllers down, so that no process can be put into it.
[[nodiscard]] bool controllers_hinder_start(const std::string& base);

// Takes them back, from users' cgroups as well, so that systemd can start the next emud in `base`:
// older ones than 254 put it there directly, which the kernel refuses (EBUSY) as long as children
// have controllers. Leases that go on are without limits until enable_controllers and limit_cgroup.
[[nodiscard]] Result<> disable_controllers(const std::string& base);

}  // namespace emud
