// Handlers that are not emud's, and who registers them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "ctl/doctor/checks.h"

namespace emud::ctl {
namespace {

bool is_emuds(const Entry& entry) {
  return entry.name.starts_with("emud-");
}

std::string removal_of(const std::vector<std::string>& names) {
  std::string commands;
  for (const auto& name : names) {
    commands += fmt::format("{}echo -1 | sudo tee {}/{}", commands.empty() ? "" : "\n",
                            binfmt_misc_mount, name);
  }
  return commands;
}

// Files of systemd-binfmt's: binfmt.d(5).
std::vector<std::string> binfmt_files(const Machine& machine) {
  std::vector<std::string> files;
  for (const std::string directory : {"/etc/binfmt.d", "/run/binfmt.d", "/usr/lib/binfmt.d"}) {
    for (const auto& name : machine.list(directory)) {
      if (name.ends_with(".conf")) files.push_back(fmt::format("{}/{}", directory, name));
    }
  }
  return files;
}

}  // namespace

void check_handlers(const Machine& machine, Findings& findings) {
  std::vector<std::string> others, no_fix, credentials;
  for (const Entry& entry : machine.handlers()) {
    const Architecture* architecture = architecture_of(entry);
    if (is_emuds(entry) || architecture == nullptr || !entry.enabled) continue;
    others.push_back(fmt::format("{} ({})", entry.name, architecture->name));
    if (!entry.flags.contains('F')) no_fix.push_back(entry.name);
    if (entry.flags.contains('C')) credentials.push_back(entry.name);
  }
  if (!others.empty()) {
    findings.add("handler-foreign", Level::note,
                 fmt::format("handlers of others: {}", fmt::join(others, ", ")),
                 "nothing has to be done");
  }
  if (!no_fix.empty()) {
    findings.add("handler-no-fix-binary", Level::warning,
                 fmt::format("handlers without the F flag: {}", fmt::join(no_fix, ", ")),
                 removal_of(no_fix));
  }
  if (!credentials.empty()) {
    findings.add("handler-credentials", Level::warning,
                 fmt::format("handlers with the C flag: {}", fmt::join(credentials, ", ")),
                 removal_of(credentials));
  }
  std::vector<std::string> managers;
  const auto files = binfmt_files(machine);
  if (machine.exists("/run/systemd/system") && !files.empty()) {
    managers.push_back(fmt::format("systemd-binfmt ({})", fmt::join(files, ", ")));
  }
  if (const auto formats = machine.list("/var/lib/binfmts"); !formats.empty()) {
    managers.push_back(fmt::format("binfmt-support ({})", fmt::join(formats, ", ")));
  }
  if (!managers.empty()) {
    findings.add("registrar", Level::note, fmt::format("{}", fmt::join(managers, "; ")),
                 "nothing has to be done");
  }
}

}  // namespace emud::ctl
