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

namespace emud {

// Hands pids, memory and cpu to the children of `base`, as far as it has them. True: all that it
// has are handed down. False: it is not delegated, and was left as it is.
[[nodiscard]] Result<bool> enable_controllers(const std::string& base);

// Takes them back, so that systemd can start the next emud in `base`: older ones than 254 put it
// there directly, which the kernel refuses (EBUSY) as long as children have controllers. Leases
// that go on are without limits until enable_controllers and limit_cgroup.
[[nodiscard]] Result<> disable_controllers(const std::string& base);

}  // namespace emud
