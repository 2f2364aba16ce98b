// The kernel: its version, binfmt_misc, and what stands in the way of a user namespace.
#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "ctl/doctor/checks.h"

namespace emud::ctl {
namespace {

// The first with a binfmt_misc for each user namespace: fs/binfmt_misc.c, commit 21ca59b365c0.
constexpr std::pair private_since{6, 7};

std::pair<int, int> version_of(const std::string& release) {
  std::pair<int, int> version{0, 0};
  if (std::sscanf(release.c_str(), "%d.%d", &version.first, &version.second) != 2) return {0, 0};
  return version;
}

// Built in, loaded, or a module that is there to be loaded.
bool has_binfmt_misc(const Machine& machine) {
  const auto names = [&](const std::string& file, std::string_view word) {
    return machine.read(file).value_or("").find(word) != std::string::npos;
  };
  const std::string modules = "/lib/modules/" + machine.release;
  return names("/proc/filesystems", "\tbinfmt_misc") ||
         names(modules + "/modules.builtin", "/binfmt_misc.ko") ||
         names(modules + "/modules.dep", "/binfmt_misc.ko") || machine.has_private_leases() ||
         (machine.daemon.status && machine.daemon.status->host_scope);
}

bool is_zero(const Machine& machine, const std::string& sysctl) {
  return machine.read("/proc/sys/" + sysctl).value_or("") == "0";
}

}  // namespace

void check_kernel(const Machine& machine, Findings& findings) {
  if (version_of(machine.release) < private_since) {
    const bool has_leases = machine.has_private_leases() || machine.has_host_leases();
    const Level level = has_leases ? Level::warning : Level::error;
    std::string mend = "on Debian 12: sudo apt-get install -t bookworm-backports linux-image-amd64";
    if (level == Level::error) {
      mend += fmt::format("\nor use the host scope: sudo usermod --append --groups emud {}",
                          machine.caller.name);
    }
    findings.add("kernel-old", level, fmt::format("this is Linux {}", machine.release), mend);
  }
  if (!has_binfmt_misc(machine)) {
    findings.add(
        "binfmt-missing", Level::error,
        fmt::format("Linux {} has binfmt_misc neither built in nor as a module", machine.release),
        "sudo modprobe binfmt_misc\nif there is no such module: install the "
        "distribution's full kernel (CONFIG_BINFMT_MISC)");
  }
}

void check_user_namespaces(const Machine& machine, Findings& findings) {
  if (!machine.rootless_failure) return;
  const Level level = level_of_private_obstacle(machine);
  if (!machine.exists("/proc/self/ns/user")) {
    findings.add("userns-missing", level, "there is no /proc/self/ns/user",
                 "install the distribution's full kernel (CONFIG_USER_NS)");
  } else if (is_zero(machine, "user/max_user_namespaces")) {
    findings.add("userns-disabled", level, "user.max_user_namespaces is 0",
                 "sudo sysctl -w user.max_user_namespaces=15000");
  } else if (is_zero(machine, "kernel/unprivileged_userns_clone") && !machine.caller.is_root()) {
    findings.add("userns-restricted", level, "kernel.unprivileged_userns_clone is 0",
                 "sudo sysctl -w kernel.unprivileged_userns_clone=1");
  } else if (machine.read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").value_or("0") !=
                 "0" &&
             !machine.caller.is_root()) {
    findings.add("userns-apparmor", level, "kernel.apparmor_restrict_unprivileged_userns is set",
                 machine.exists("/etc/apparmor.d/emuctl")
                     ? "sudo apparmor_parser --replace /etc/apparmor.d/emuctl"
                     : "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0");
  } else if (version_of(machine.release) >= private_since) {
    const auto modules = machine.read("/sys/kernel/security/lsm");
    findings.add("userns-refused", level,
                 fmt::format("{} (security modules: {})", machine.rootless_failure->reason,
                             modules.value_or("not known")),
                 "in a container: allow user namespaces there (podman and docker: --security-opt "
                 "seccomp=unconfined), or run emuctl outside of it\nelse look for the refusal: "
                 "sudo dmesg | tail");
  }
}

}  // namespace emud::ctl
