// The checks of doctor: small functions over a Machine, one table.
#pragma once

#include <span>
#include <string_view>

#include "ctl/doctor/finding.h"
#include "ctl/doctor/machine.h"

namespace emud::ctl {

struct DoctorCheck {
  std::string_view id;
  std::string_view about;  // what it looks at
  void (*run)(const Machine& machine, Findings& findings);
};

// In the order they run.
[[nodiscard]] std::span<const DoctorCheck> doctor_checks();

void check_kernel(const Machine& machine, Findings& findings);
void check_user_namespaces(const Machine& machine, Findings& findings);
void check_mounts(const Machine& machine, Findings& findings);
void check_surroundings(const Machine& machine, Findings& findings);
void check_socket(const Machine& machine, Findings& findings);
void check_group(const Machine& machine, Findings& findings);
void check_emulators(const Machine& machine, Findings& findings);
void check_stores(const Machine& machine, Findings& findings);
void check_handlers(const Machine& machine, Findings& findings);
void check_nix(const Machine& machine, Findings& findings);
void check_containers(const Machine& machine, Findings& findings);
void check_resources(const Machine& machine, Findings& findings);

// note where emud gives private leases all the same, warning where there are host leases, else
// error: for what stands in the way of private leases.
[[nodiscard]] Level level_of_private_obstacle(const Machine& machine);
// error where there are no private leases; else warning where emud is here, and note where it is
// not: for what stands in the way of host leases.
[[nodiscard]] Level level_of_host_obstacle(const Machine& machine);

}  // namespace emud::ctl
