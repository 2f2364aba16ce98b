// Handlers that are not emud's, and who registers them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

#include "ctl/doctor/checks.h"

namespace emud::ctl {
namespace {

bool is_emuds(const Entry& entry) {
  return entry.name.starts_with("emud-");
}

// Files of systemd-binfmt's: binfmt.d(5). Those of an earlier directory hide later ones of the same
// name.
std::vector<std::string> binfmt_files(const Machine& machine) {
  std::vector<std::string> files;
  for (const std::string directory :
       {"/etc/binfmt.d", "/run/binfmt.d", "/usr/local/lib/binfmt.d", "/usr/lib/binfmt.d"}) {
    for (const auto& name : machine.list(directory)) {
      const auto is_same = [&](const std::string& file) { return file.ends_with('/' + name); };
      if (name.ends_with(".conf") && std::ranges::none_of(files, is_same))
        files.push_back(fmt::format("{}/{}", directory, name));
    }
  }
  return files;
}

// Whether the file has a rule of that name: ":name:M:..." with any delimiter.
bool registers(const Machine& machine, const std::string& file, const std::string& name) {
  std::istringstream lines{machine.read(file).value_or("")};
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.starts_with(line.front() + name + line.front())) return true;
  }
  return false;
}

// So that it does not come back at the next boot: with the tool of whoever registered it.
std::string removal_of(const Machine& machine, const std::string& name) {
  for (const auto& file : binfmt_files(machine)) {
    if (!registers(machine, file, name)) continue;
    const std::string base = file.substr(file.rfind('/') + 1);
    return fmt::format(
        "sudo mkdir -p /etc/binfmt.d\n"
        "sudo ln -sf /dev/null /etc/binfmt.d/{}\n"
        "sudo systemctl restart systemd-binfmt.service",
        base);
  }
  if (machine.exists("/var/lib/binfmts/" + name))
    return fmt::format("sudo update-binfmts --disable {}", name);
  return fmt::format("echo -1 | sudo tee {}/{}", binfmt_misc_mount, name);
}

std::string removal_of(const Machine& machine, const std::vector<std::string>& names) {
  std::string commands;
  for (const auto& name : names)
    commands += fmt::format("{}{}", commands.empty() ? "" : "\n", removal_of(machine, name));
  return commands;
}

void remark_on_managers(const Machine& machine, Findings& findings) {
  const auto files = binfmt_files(machine);
  if (machine.exists("/run/systemd/system") && !files.empty()) {
    findings.remark(fmt::format(
        "systemd-binfmt registers {}: when it starts or stops it removes everybody's handlers, and "
        "emud brings back what its leases hold",
        fmt::join(files, ", ")));
  }
  if (const auto formats = machine.list("/var/lib/binfmts"); !formats.empty())
    findings.remark(fmt::format("binfmt-support registers {}", fmt::join(formats, ", ")));
}

}  // namespace

void check_handlers(const Machine& machine, Findings& findings) {
  std::vector<std::string> no_fix, credentials;
  for (const Entry& entry : machine.handlers()) {
    const Architecture* architecture = architecture_of(entry);
    if (is_emuds(entry) || architecture == nullptr || !entry.enabled) continue;
    findings.remark(
        fmt::format("{} is somebody else's handler for {}, with the flags {}: private leases hide "
                    "it, and a host handler of emud's comes before it while it is there",
                    entry.name, architecture->name, entry.flags));
    if (!entry.flags.contains('F')) no_fix.push_back(entry.name);
    if (entry.flags.contains('C')) credentials.push_back(entry.name);
  }
  if (!no_fix.empty()) {
    findings.add("handler-no-fix-binary", Level::warning,
                 fmt::format("handlers without the F flag: {}", fmt::join(no_fix, ", ")),
                 removal_of(machine, no_fix));
  }
  if (!credentials.empty()) {
    findings.add("handler-credentials", Level::warning,
                 fmt::format("handlers with the C flag: {}", fmt::join(credentials, ", ")),
                 removal_of(machine, credentials));
  }
  if (!machine.daemon.status) return remark_on_managers(machine, findings);
  for (const auto& handler : machine.daemon.status->handlers) {
    if (handler.state != "lost") continue;
    findings.add("handler-lost", level_of_host_obstacle(machine),
                 fmt::format("{}: {}", handler.name, handler.reason.value_or("it is gone")),
                 "sudo systemctl restart emud.service");
  }
  remark_on_managers(machine, findings);
}

}  // namespace emud::ctl
