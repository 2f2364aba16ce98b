// Commands that mend, where they depend on the machine. Each is what a shell takes: a line of words
// is a comment.
#pragma once

#include <string>
#include <string_view>

#include "ctl/doctor/machine.h"

namespace emud::ctl {

// Sets it now, and at each boot: sysctl.d(5).
[[nodiscard]] std::string set_sysctl(std::string_view name, std::string_view value);

// The distribution's package of static emulators.
[[nodiscard]] std::string install_static_qemu(const Machine& machine);

// Emulators from the catalog, with the rights and into the store that this caller can use.
[[nodiscard]] std::string fetch_emulator(const Machine& machine, std::string_view architectures);

// Makes the caller a member of the group that may use the host scope.
[[nodiscard]] std::string join_group(const Machine& machine);

// Starts emud's socket; where emud is not installed, what comes before.
[[nodiscard]] std::string start_socket(const Machine& machine);

// "sudo " where the caller is neither root nor in the group, else nothing: before an emuctl that
// asks emud for what is the group's.
[[nodiscard]] std::string_view sudo_for_group(const Machine& machine);

// An architecture that is not the host's, for a command that needs one.
[[nodiscard]] std::string_view some_foreign_architecture();

}  // namespace emud::ctl
