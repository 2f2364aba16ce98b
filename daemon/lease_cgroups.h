// The controllers of the leases' cgroups, over the life of emud.
#pragma once

#include <string>

#include "sandbox/cgroup.h"

namespace emud {

class Leases;
struct Options;

// Before anything is started: emud moves where the kernel wants it and hands its controllers down,
// in a cgroup that systemd has delegated; what hinders it is logged. True: they have to be taken
// back when emud ends, and with them the limits of the leases that go on.
[[nodiscard]] bool hand_down_controllers(const Options& options);

// Makes a lease's cgroup in its user's (user_cgroup_prefix), which is made where there is none.
[[nodiscard]] Result<Cgroup> create_lease_cgroup(const std::string& path);

// The limits of leases that an earlier emud started, which were taken off when it ended.
void renew_limits(const Leases& leases);

// At the end, so that systemd can start the next emud; only where hand_down_controllers of this
// emud, or of the one before a mere reconciliation, said so.
void take_back_controllers(const Options& options);

}  // namespace emud
