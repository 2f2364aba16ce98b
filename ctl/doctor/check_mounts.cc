// Where binfmt_misc is mounted, and what surrounds this process.
#include <fmt/format.h>

#include <sstream>

#include "ctl/doctor/checks.h"
#include "ctl/doctor/mends.h"

namespace emud::ctl {
namespace {

// The last mounts at binfmt_misc's place: proc_pid_mountinfo(5).
struct BinfmtMount {
  bool is_automount = false;  // systemd's autofs trigger is there
  bool is_mounted = false;
  bool is_read_only = false;
};

bool has_word(const std::string& list, std::string_view word) {
  std::istringstream words{list};
  for (std::string one; std::getline(words, one, ',');) {
    if (one == word) return true;
  }
  return false;
}

BinfmtMount binfmt_mount(const Machine& machine) {
  BinfmtMount mount;
  (void)machine.list(std::string{binfmt_misc_mount});  // makes an automount mount it
  std::istringstream lines{machine.read("/proc/self/mountinfo").value_or("")};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields{line};
    std::string skipped, place, options, type, source, super_options;
    fields >> skipped >> skipped >> skipped >> skipped >> place >> options;
    if (place != binfmt_misc_mount) continue;
    do {
      if (!(fields >> skipped)) break;
    } while (skipped != "-");
    fields >> type >> source >> super_options;
    if (type == "autofs") mount.is_automount = true;
    if (type != "binfmt_misc") continue;
    mount.is_mounted = true;
    mount.is_read_only = has_word(options, "ro") || has_word(super_options, "ro");
  }
  return mount;
}

constexpr std::string_view mount_command =
    "sudo mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc";

}  // namespace

void check_mounts(const Machine& machine, Findings& findings) {
  const BinfmtMount mount = binfmt_mount(machine);
  const std::string place{binfmt_misc_mount};
  if (!mount.is_mounted && mount.is_automount) {
    findings.add("binfmt-autofs-dead", level_of_host_obstacle(machine),
                 fmt::format("the automount at {} mounts nothing", place),
                 "sudo systemctl restart proc-sys-fs-binfmt_misc.automount");
  } else if (!mount.is_mounted && !machine.daemon.status && machine.has_private_leases()) {
    findings.remark(
        fmt::format("nothing is mounted at {}, which rootless leases do without", place));
  } else if (!mount.is_mounted) {
    findings.add("binfmt-not-mounted", Level::note, fmt::format("nothing is mounted at {}", place),
                 std::string{mount_command});
  } else if (mount.is_read_only) {
    findings.add("binfmt-read-only", level_of_host_obstacle(machine),
                 fmt::format("binfmt_misc at {} is mounted read-only", place),
                 fmt::format("sudo mount -o remount,rw {}", place));
  }
  if (mount.is_mounted && machine.read(place + "/status").value_or("") == "disabled") {
    findings.add("binfmt-switched-off", level_of_host_obstacle(machine),
                 fmt::format("{}/status says \"disabled\"", place),
                 fmt::format("echo 1 | sudo tee {}/status", place));
  }
}

void check_surroundings(const Machine& machine, Findings& findings) {
  if (machine.release.find("icrosoft") != std::string::npos) {
    findings.remark(fmt::format(
        "the Windows Subsystem for Linux ({}): its own handler is left alone, and a lease hides it "
        "from what runs in it",
        machine.release));
  }
  for (const char* mark : {"/.dockerenv", "/run/.containerenv", "/run/systemd/container"}) {
    if (machine.exists(mark)) findings.remark(fmt::format("a container: there is {}", mark));
  }
  // Without --rootless it stops a command where emud answers; userns-seccomp says more.
  if (machine.has_seccomp_filter() && machine.daemon.status && !machine.rootless_failure) {
    findings.add("seccomp-filter", Level::warning, "/proc/self/status shows a seccomp filter",
                 fmt::format("emuctl run --rootless -a {} -- COMMAND\n"
                             "# or run emuctl outside of what set the filter",
                             some_foreign_architecture()));
  }
}

}  // namespace emud::ctl
