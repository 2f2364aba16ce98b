// emud: its socket, who answers there, and who may ask it for what.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

#include "ctl/doctor/checks.h"

namespace emud::ctl {
namespace {

// Whether /etc/group lists the user as a member of the group emud.
bool is_listed(const Machine& machine) {
  std::istringstream lines{machine.read("/etc/group").value_or("")};
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("emud:")) continue;
    std::istringstream members{line.substr(line.rfind(':') + 1)};
    for (std::string member; std::getline(members, member, ',');) {
      if (member == machine.caller.name) return true;
    }
  }
  return false;
}

}  // namespace

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
                 "sudo systemctl enable --now emud.socket");
  } else if (error.errno_value == ECONNREFUSED) {
    findings.add("socket-dead", is_needed ? Level::error : Level::warning,
                 fmt::format("nobody listens at {}", path), "sudo systemctl restart emud.socket");
  } else if (error.code == Errc::permission_denied) {
    findings.add("socket-forbidden", Level::error, error.message(),
                 fmt::format("sudo chmod 0666 {}\nand make its directory searchable: sudo chmod "
                             "0755 {}",
                             path, path.substr(0, path.rfind('/'))));
  } else {
    findings.add("socket-not-emud", Level::error, error.message(),
                 fmt::format("see who listens: sudo ss --listening --unix --processes src {}\n"
                             "sudo systemctl restart emud.socket",
                             path));
  }
}

void check_group(const Machine& machine, Findings& findings) {
  if (!machine.daemon.status || machine.caller.is_root()) return;
  const std::string join =
      fmt::format("sudo usermod --append --groups emud {}\nthen log in again", machine.caller.name);
  const auto number = machine.group();
  if (!number) {
    const bool is_needed = !machine.has_private_leases();
    findings.add("group-missing", is_needed ? Level::error : Level::note,
                 "/etc/group has no group emud", "sudo groupadd --system emud\n" + join);
  } else if (machine.caller.is_in(*number)) {
    return;
  } else if (is_listed(machine)) {
    findings.add(
        "group-stale", Level::warning,
        fmt::format("{} is a member of the group emud, this process is not", machine.caller.name),
        "log in again, or for this shell: newgrp emud");
  } else if (!machine.has_private_leases()) {
    findings.add("group-not-member", Level::error,
                 fmt::format("{} is not a member of the group emud", machine.caller.name), join);
  }
}

}  // namespace emud::ctl
