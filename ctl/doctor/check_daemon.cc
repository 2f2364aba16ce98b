// emud: its socket, who answers there, and who may ask it for what.
#include <fmt/format.h>

#include <cerrno>

#include "ctl/doctor/checks.h"
#include "ctl/doctor/mends.h"

namespace emud::ctl {
void check_socket(const Machine& machine, Findings& findings) {
  const auto& [path, is_named] = machine.endpoint;
  if (machine.daemon.status) {
    const std::string& version = machine.daemon.status->version;
    if (version != machine.own_version) {
      findings.add("version-differs", Level::warning,
                   fmt::format("emud is {}, emuctl is {}", version, machine.own_version),
                   "sudo systemctl restart emud.service");
    }
    return;
  }
  const Error& error = machine.daemon.error;
  const bool is_needed = is_named || !machine.has_private_leases();
  if (error.errno_value == ENOENT) {
    findings.add("socket-missing", is_needed ? Level::error : Level::note,
                 fmt::format("there is no socket {}", path),
                 is_named
                     ? fmt::format("# if that is not where it should be: unset EMUD_SOCKET\n{}",
                                   start_socket(machine))
                     : start_socket(machine));
  } else if (error.errno_value == ECONNREFUSED) {
    findings.add("socket-dead", is_needed ? Level::error : Level::warning,
                 fmt::format("nobody listens at {}", path), "sudo systemctl restart emud.socket");
  } else if (error.code == Errc::permission_denied) {
    findings.add("socket-forbidden", Level::error, error.message(),
                 fmt::format("sudo chmod 0666 {}\nsudo chmod 0755 {}", path,
                             path.substr(0, path.rfind('/'))));
  } else {
    findings.add("socket-not-emud", Level::error, error.message(),
                 fmt::format("# see who listens, and end it\n"
                             "sudo ss --listening --unix --processes src {}\n"
                             "sudo systemctl restart emud.socket",
                             path));
  }
}

void check_group(const Machine& machine, Findings& findings) {
  if (!machine.daemon.status || machine.is_administrator()) return;
  const std::string group = machine.group_name();
  if (!machine.record("/etc/group", group)) {
    const bool is_needed = !machine.has_private_leases();
    findings.add("group-missing", is_needed ? Level::error : Level::note,
                 fmt::format("/etc/group has no group {}", group),
                 fmt::format("sudo groupadd --system {}\n{}", group, join_group(machine)));
  } else if (!machine.has_private_leases_of_emud() && !machine.has_seccomp_filter()) {
    findings.add("group-not-member", machine.has_private_leases() ? Level::warning : Level::error,
                 fmt::format("{} is not a member of the group {}", machine.caller.name, group),
                 join_group(machine));
  }
}

}  // namespace emud::ctl
