// The kernel: its version, binfmt_misc, and what stands in the way of a user namespace.
#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "ctl/doctor/checks.h"
#include "ctl/doctor/mends.h"

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
  if (version_of(machine.release) < private_since && !machine.has_private_leases()) {
    const bool has_leases = machine.has_host_leases();
    findings.add("kernel-old", has_leases ? Level::warning : Level::error,
                 fmt::format("this is Linux {}", machine.release),
                 fmt::format("# a newer kernel; on Debian 12, with its backports:\n"
                             "sudo apt-get install -t bookworm-backports linux-image-amd64{}{}",
                             has_leases ? "" : "\n# or the host scope:\n",
                             has_leases ? "" : join_group(machine)));
  }
  if (!has_binfmt_misc(machine)) {
    findings.add(
        "binfmt-missing", Level::error,
        fmt::format("Linux {} has binfmt_misc neither built in nor as a module", machine.release),
        "# where there is no such module, the distribution's full kernel comes first\n"
        "sudo modprobe binfmt_misc");
  }
}

void check_user_namespaces(const Machine& machine, Findings& findings) {
  if (!machine.rootless_failure) return;
  const Level level = level_of_private_obstacle(machine);
  const bool is_root = machine.caller.is_root();
  const auto add = [&](std::string_view id, std::string what, std::string mend) {
    findings.add(id, level, std::move(what), std::move(mend));
  };
  for (const std::string_view kind : {"user", "mnt", "pid"}) {
    const std::string limit = fmt::format("user/max_{}_namespaces", kind);
    if (!machine.exists("/proc/self/ns/user") || !is_zero(machine, limit)) continue;
    return add("userns-disabled", fmt::format("user.max_{}_namespaces is 0", kind),
               set_sysctl(fmt::format("user.max_{}_namespaces", kind), "15000"));
  }
  if (!machine.exists("/proc/self/ns/user")) {
    add("userns-missing", "there is no /proc/self/ns/user",
        "# the distribution's full kernel (CONFIG_USER_NS) has them");
  } else if (is_zero(machine, "kernel/unprivileged_userns_clone") && !is_root) {
    add("userns-restricted", "kernel.unprivileged_userns_clone is 0",
        set_sysctl("kernel.unprivileged_userns_clone", "1"));
  } else if (machine.has_seccomp_filter()) {
    add("userns-seccomp",
        fmt::format("{}, and /proc/self/status shows a seccomp filter",
                    machine.rootless_failure->reason),
        "# run emuctl outside of what set the filter, or start the container with\n"
        "docker run --security-opt seccomp=unconfined IMAGE\n"
        "# or the service with SystemCallFilter=@mount and without RestrictNamespaces=");
  } else if (machine.read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").value_or("0") !=
                 "0" &&
             !is_root) {
    add("userns-apparmor", "kernel.apparmor_restrict_unprivileged_userns is set",
        machine.exists("/etc/apparmor.d/emuctl")
            ? "sudo apparmor_parser --replace /etc/apparmor.d/emuctl"
            : set_sysctl("kernel.apparmor_restrict_unprivileged_userns", "0"));
  } else if (version_of(machine.release) >= private_since) {
    const auto modules = machine.read("/sys/kernel/security/lsm");
    add("userns-refused",
        fmt::format("{} (security modules: {})", machine.rootless_failure->reason,
                    modules.value_or("not known")),
        "# in a container, run emuctl outside of it, or allow user namespaces there\n"
        "# else the kernel's log may name who refuses\n"
        "sudo dmesg | tail");
  }
}

}  // namespace emud::ctl
