// nix.conf, as far as foreign builds and their safety depend on it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "arch/architecture.h"
#include "ctl/doctor/checks.h"
#include "sandbox/nix_conf.h"

namespace emud::ctl {
namespace {

bool is(const NixSettings& settings, const std::string& key, std::string_view value) {
  const auto found = settings.find(key);
  return found != settings.end() && found->second.size() == 1 && found->second.front() == value;
}

bool has(const NixSettings& settings, const std::string& key, std::string_view word) {
  const auto found = settings.find(key);
  return found != settings.end() && std::ranges::find(found->second, word) != found->second.end();
}

// What is said last counts. On NixOS the file is made from the configuration.
std::string set_command(const Machine& machine, std::string_view key, std::string_view value) {
  if (machine.exists("/etc/NIXOS")) {
    return fmt::format(
        "# in /etc/nixos/configuration.nix: nix.settings.{} = lib.mkForce \"{}\";\n"
        "sudo nixos-rebuild switch",
        key, value);
  }
  return fmt::format("echo '{} = {}' | sudo tee -a {}\nsudo systemctl restart nix-daemon.service",
                     key, value, system_nix_conf);
}

std::vector<std::string> with_credentials(const Machine& machine) {
  std::vector<std::string> names;
  for (const Entry& entry : machine.handlers()) {
    if (entry.enabled && entry.flags.contains('C') && architecture_of(entry) != nullptr)
      names.push_back(entry.name);
  }
  return names;
}

// The systems that a host lease may be for: of emud's emulators and of its handlers.
std::vector<std::string> foreign_systems(const wire::GetStatusReply& status) {
  std::vector<std::string> systems;
  const auto add = [&](const std::string& name) {
    const auto architecture = find_architecture(name);
    if (!architecture || (*architecture)->nix_system.empty()) return;
    std::string system{(*architecture)->nix_system};
    if (std::ranges::find(systems, system) == systems.end()) systems.push_back(std::move(system));
  };
  for (const auto& emulator : status.emulators) add(emulator.architecture);
  for (const auto& handler : status.handlers) add(handler.architecture);
  return systems;
}

// A private lease has a nix.conf of its own. A host lease depends on the machine's nix-daemon.
void check_platforms(const Machine& machine, const NixSettings& settings, Findings& findings) {
  if (machine.has_private_leases() || !machine.daemon.status) return;
  if (!machine.exists("/nix/var/nix/daemon-socket/socket")) return;
  std::vector<std::string> missing = foreign_systems(*machine.daemon.status);
  std::erase_if(missing, [&](const std::string& system) {
    return has(settings, "extra-platforms", system) || has(settings, "platforms", system);
  });
  if (missing.empty()) return;
  const std::string systems = fmt::format("{}", fmt::join(missing, " "));
  // Appends, and keeps Nix's default: i686-linux on x86_64.
  findings.add("nix-platforms", Level::warning, fmt::format("nix.conf lacks {}", systems),
               set_command(machine, "extra-extra-platforms", systems));
}

}  // namespace

void check_nix(const Machine& machine, Findings& findings) {
  const auto settings = read_nix_settings(
      std::string{system_nix_conf}, [&](const std::string& file) { return machine.read(file); });
  if (is(settings, "sandbox", "false")) {
    findings.add("nix-sandbox-off", Level::warning, "nix.conf has sandbox = false",
                 set_command(machine, "sandbox", "true"));
  }
  if (has(settings, "trusted-users", "*")) {
    findings.add("nix-trusts-everyone", Level::warning, "nix.conf has * in trusted-users",
                 set_command(machine, "trusted-users", "root"));
  }
  if (is(settings, "filter-syscalls", "false")) {
    const auto handlers = with_credentials(machine);
    if (handlers.empty()) {
      findings.add("nix-syscalls-unfiltered", Level::warning,
                   "nix.conf has filter-syscalls = false",
                   set_command(machine, "filter-syscalls", "true"));
    } else {
      findings.add("nix-root-hole", Level::error,
                   fmt::format("nix.conf has filter-syscalls = false, and {} the C flag: {}",
                               handlers.size() == 1 ? "a handler has" : "handlers have",
                               fmt::join(handlers, ", ")),
                   set_command(machine, "filter-syscalls", "true"));
    }
  }
  check_platforms(machine, settings, findings);
}

}  // namespace emud::ctl
