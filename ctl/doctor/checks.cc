#include "ctl/doctor/checks.h"

#include <array>

namespace emud::ctl {
namespace {

constexpr auto doctor_checks_table = std::to_array<DoctorCheck>({
    {"kernel", "kernel version and binfmt_misc", check_kernel},
    {"user-namespaces", "whether a private scope can be made without emud", check_user_namespaces},
    {"mounts", "the mount of binfmt_misc and its switch", check_mounts},
    {"surroundings", "WSL, containers, seccomp filters", check_surroundings},
    {"socket", "emud's socket, and who answers there", check_socket},
    {"group", "the group that may use the host scope", check_group},
    {"emulators", "whether there is an emulator, and what is known to be wrong with it",
     check_emulators},
    {"stores", "whether the emulators in the stores are what was installed", check_stores},
    {"handlers", "handlers of others, and their flags", check_handlers},
    {"nix", "nix.conf", check_nix},
    {"containers", "Docker, podman, subordinate ids", check_containers},
    {"resources", "memory, disk space, cgroup v2", check_resources},
});

}  // namespace

std::span<const DoctorCheck> doctor_checks() {
  return doctor_checks_table;
}

Level level_of_private_obstacle(const Machine& machine) {
  if (machine.has_private_leases()) return Level::note;
  return machine.has_host_leases() ? Level::warning : Level::error;
}

Level level_of_host_obstacle(const Machine& machine) {
  if (!machine.has_private_leases()) return Level::error;
  return machine.daemon.status ? Level::warning : Level::note;
}

}  // namespace emud::ctl
