// The controllers of the leases' cgroups, over the life of emud.
#pragma once

namespace emud {

class Leases;
struct Options;

// Before anything is started: emud moves where the kernel wants it and hands its controllers down,
// in a cgroup that systemd has delegated; what hinders it is logged.
void hand_down_controllers(const Options& options);

// The limits of leases that an earlier emud started, which were taken off when it ended.
void renew_limits(const Leases& leases);

// At the end, so that systemd can start the next emud.
void take_back_controllers();

}  // namespace emud
