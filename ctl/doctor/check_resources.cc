// Memory, disk and cgroups; and what rootless containers need.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "ctl/doctor/checks.h"
#include "ctl/doctor/mends.h"

namespace emud::ctl {
namespace {

constexpr std::uint64_t mib = std::uint64_t{1} << 20;
constexpr std::uint64_t gib = std::uint64_t{1} << 30;
// A machine of 8 GiB shows somewhat less: the kernel and the firmware keep some.
constexpr std::uint64_t enough_memory = 8 * gib - 512 * mib;
constexpr std::uint64_t enough_in_store = 200 * mib;
constexpr std::uint64_t enough_in_temporary = 2 * gib;

// A line of /proc/meminfo, in bytes; none where it is missing.
std::optional<std::uint64_t> meminfo(const Machine& machine, std::string_view name) {
  std::istringstream lines{machine.read("/proc/meminfo").value_or("")};
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name)) continue;
    const auto digit = line.find_first_of("0123456789", name.size());
    std::uint64_t kib = 0;
    if (digit == std::string::npos) return std::nullopt;
    std::from_chars(line.data() + digit, line.data() + line.size(), kib);
    return kib * 1024;
  }
  return std::nullopt;
}

bool has_cgroup2(const Machine& machine) {
  return machine.read("/proc/self/mountinfo").value_or("").find(" - cgroup2 ") != std::string::npos;
}

// subuid(5): a line begins with the user's name or number.
bool has_subordinate_ids(const Machine& machine, const std::string& file) {
  return machine.record(file, machine.caller.name) ||
         machine.record(file, std::to_string(machine.caller.uid));
}

}  // namespace

void check_resources(const Machine& machine, Findings& findings) {
  const auto memory = meminfo(machine, "MemTotal:");
  const auto swap = meminfo(machine, "SwapTotal:");
  if (memory && *memory < enough_memory && swap.value_or(0) == 0) {
    findings.add("memory-low", Level::warning,
                 fmt::format("{:.1f} GiB of memory, no swap",
                             static_cast<double>(*memory) / static_cast<double>(gib)),
                 "sudo fallocate -l 8G /swapfile && sudo chmod 600 /swapfile\n"
                 "sudo mkswap /swapfile && sudo swapon /swapfile");
  }
  if (machine.free_in_store && *machine.free_in_store < enough_in_store) {
    findings.add("disk-store-low", Level::warning,
                 fmt::format("{} MiB are free for the store", *machine.free_in_store / mib),
                 "# see what takes the space\ndf -h /var/lib\nemuctl emulator prune");
  }
  if (machine.free_in_temporary && *machine.free_in_temporary < enough_in_temporary) {
    findings.add(
        "disk-temporary-low", Level::warning,
        fmt::format("{} MiB are free in {}", *machine.free_in_temporary / mib, machine.temporary),
        "export TMPDIR=/var/tmp");
  }
  if (machine.exists("/proc/self/mountinfo") && !has_cgroup2(machine)) {
    findings.add("cgroup-v1", Level::note, "cgroup v2 is not mounted",
                 "sudo sed -i 's/^GRUB_CMDLINE_LINUX=\"/&systemd.unified_cgroup_hierarchy=1 /' "
                 "/etc/default/grub\nsudo update-grub && sudo reboot");
  }
}

void check_containers(const Machine& machine, Findings& findings) {
  if (machine.exists("/run/docker.sock") &&
      std::ranges::none_of(machine.handlers(), [](const Entry& entry) {
        return entry.enabled && architecture_of(entry) != nullptr;
      })) {
    findings.add("docker", Level::note, "Docker is here, and no handler is on the host",
                 fmt::format("{0}emuctl register {1}\n# or for one build\n"
                             "{0}emuctl run --scope host -a {1} -- docker build .",
                             sudo_for_group(machine), some_foreign_architecture()));
  }
  if (machine.caller.is_root()) return;
  if (!machine.has_program("podman") && !machine.has_program("buildah")) return;
  if (!machine.has_program("newuidmap")) {
    findings.add("newuidmap-missing", Level::warning, "newuidmap is not in PATH",
                 "sudo apt-get install uidmap");
  }
  for (const char* file : {"/etc/subuid", "/etc/subgid"}) {
    if (has_subordinate_ids(machine, file)) continue;
    findings.add("subuid-missing", Level::warning,
                 fmt::format("{} has no line for {}", file, machine.caller.name),
                 fmt::format("sudo usermod --add-subuids 100000-165535 --add-subgids "
                             "100000-165535 {}",
                             machine.caller.name));
    break;
  }
}

}  // namespace emud::ctl
