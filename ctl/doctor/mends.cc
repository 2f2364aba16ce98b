#include "ctl/doctor/mends.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>

#include "arch/architecture.h"

namespace emud::ctl {
namespace {

// A value of os-release(5), without its quotes.
std::string os_release(const Machine& machine, std::string_view key) {
  std::istringstream lines{machine.read("/etc/os-release").value_or("")};
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(fmt::format("{}=", key))) continue;
    std::string value = line.substr(key.size() + 1);
    std::erase_if(value, [](char letter) { return letter == '"' || letter == '\''; });
    return value;
  }
  return {};
}

int number_of(const std::string& version) {
  int number = 0;
  std::from_chars(version.data(), version.data() + version.size(), number);
  return number;
}

}  // namespace

std::string set_sysctl(std::string_view name, std::string_view value) {
  return fmt::format(
      "sudo sysctl -w {0}={1}\necho {0}={1} | sudo tee -a /etc/sysctl.d/99-emud.conf", name, value);
}

std::string install_static_qemu(const Machine& machine) {
  const std::string id = os_release(machine, "ID");
  const int version = number_of(os_release(machine, "VERSION_ID"));  // 0: a rolling release
  if (id == "fedora") return "sudo dnf install qemu-user-static";
  if (id == "arch") return "sudo pacman -S qemu-user-static";
  // Debian 13 and Ubuntu 25.04 began to link qemu-user statically.
  const bool is_new =
      (id == "debian" && (version == 0 || version >= 13)) || (id == "ubuntu" && version >= 25);
  return fmt::format("sudo apt-get install --no-install-recommends {}",
                     is_new ? "qemu-user" : "qemu-user-static");
}

std::string fetch_emulator(const Machine& machine, std::string_view architectures) {
  return fmt::format("{}emuctl emulator install {}{}", sudo_for_group(machine),
                     machine.daemon.status ? "" : "--rootless ", architectures);
}

std::string join_group(const Machine& machine) {
  return fmt::format("sudo usermod --append --groups {} {}", machine.group_name(),
                     machine.caller.name);
}

std::string start_socket(const Machine& machine) {
  constexpr auto folders = std::to_array<const char*>(
      {"/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"});
  const bool is_installed = std::ranges::any_of(
      folders, [&](const std::string& folder) { return machine.exists(folder + "/emud.socket"); });
  return fmt::format("{}sudo systemctl enable --now emud.socket",
                     is_installed ? "" : "# where the package emud is not installed, that first\n");
}

std::string_view sudo_for_group(const Machine& machine) {
  return machine.daemon.status && !machine.is_administrator() ? "sudo " : "";
}

std::string_view some_foreign_architecture() {
  return host_architecture().name == "aarch64" ? "x86_64" : "aarch64";
}

}  // namespace emud::ctl
