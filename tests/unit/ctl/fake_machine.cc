#include "ctl/fake_machine.h"

#include <elf.h>
#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "arch/architecture.h"
#include "support/catch.h"

namespace emud::ctl::test {
namespace {

constexpr std::string_view mounts =
    "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
    "30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
    "31 22 0:27 / /proc/sys/fs/binfmt_misc rw,relatime shared:10 - autofs systemd-1 rw\n"
    "99 31 0:44 / /proc/sys/fs/binfmt_misc rw,nosuid shared:11 - binfmt_misc binfmt_misc rw\n";

}  // namespace

FakeMachine::FakeMachine() {
  std::string root = "/tmp/emud-machine-XXXXXX";
  REQUIRE(::mkdtemp(root.data()) != nullptr);
  machine.root = root;
  machine.release = "6.12.48+deb13-amd64";
  machine.caller = {.uid = 1000, .groups = {1000, 27}, .name = "alice"};
  machine.endpoint = {.path = "/run/emud/io.emud.Manager", .is_explicit = false};
  machine.own_version = "1.2.3";
  machine.daemon.status.emplace();
  machine.daemon.status->version = "1.2.3";
  machine.daemon.status->private_scope = true;
  machine.daemon.status->host_scope = true;
  machine.daemon.status->policy = {.group = "emud", .private_for_everyone = true, .fetch = false};
  machine.stores = {Paths::system()};
  machine.path = "/usr/bin";
  machine.free_in_store = machine.free_in_temporary = std::uint64_t{50} << 30;
  write("/proc/self/mountinfo", mounts);
  write("/proc/self/status", "Name:\temuctl\nSeccomp:\t0\nSeccomp_filters:\t0\n");
  write("/proc/self/ns/user", "");
  write("/proc/filesystems", "nodev\tproc\nnodev\tbinfmt_misc\n");
  write("/proc/meminfo", "MemTotal:       16303028 kB\nSwapTotal:             0 kB\n");
  write("/proc/sys/fs/binfmt_misc/status", "enabled\n");
  write("/proc/sys/fs/binfmt_misc/register", "");
  write("/proc/sys/user/max_user_namespaces", "63000\n");
  write("/proc/sys/kernel/unprivileged_userns_clone", "1\n");
  write("/etc/os-release", "ID=debian\nVERSION_ID=\"13\"\n");
  write("/etc/passwd", "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n");
  write("/etc/group", "root:x:0:\nsudo:x:27:alice\nemud:x:998:carol\n");
  add_program("/usr/bin/qemu-aarch64-static", false);
}

FakeMachine::~FakeMachine() {
  std::filesystem::remove_all(machine.root);
}

void FakeMachine::write(const std::string& path, std::string_view text) const {
  const std::filesystem::path file{machine.root + path};
  std::filesystem::create_directories(file.parent_path());
  std::ofstream{file, std::ios::binary | std::ios::trunc} << text;
  REQUIRE(std::filesystem::is_regular_file(file));
}

void FakeMachine::remove(const std::string& path) const {
  REQUIRE(std::filesystem::remove_all(machine.root + path) > 0);
}

void FakeMachine::add_handler(const std::string& name, std::string_view flags) const {
  const Architecture& architecture = **find_architecture("aarch64");
  std::string magic, mask;
  for (const char byte : architecture.magic)
    magic += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  for (const char byte : architecture.mask)
    mask += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  write("/proc/sys/fs/binfmt_misc/" + name,
        fmt::format("enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: {}\noffset "
                    "0\nmagic {}\nmask {}\n",
                    flags, magic, mask));
}

void FakeMachine::add_program(const std::string& path, bool is_dynamic) const {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 1;
  Elf64_Phdr segment{};
  segment.p_type = is_dynamic ? PT_INTERP : PT_LOAD;
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes.append(reinterpret_cast<const char*>(&segment), sizeof segment);
  write(path, bytes);
}

void FakeMachine::end_daemon(int reason) {
  machine.daemon.status.reset();
  machine.daemon.error = fail_errno(reason, "connect to", machine.endpoint.path).error();
}

void FakeMachine::forbid_private_leases() {
  if (machine.daemon.status) machine.daemon.status->private_scope = false;
  machine.rootless_failure =
      fail(Errc::not_supported, "try", "a private scope", "unshare: Operation not permitted")
          .error();
}

std::vector<std::string> FakeMachine::found() const {
  std::vector<std::string> lines;
  for (const auto& [check, findings] : examine(machine)) {
    for (const Finding& finding : findings.all())
      lines.push_back(fmt::format("{} {}", to_string(finding.level), finding.kind->id));
  }
  return lines;
}

std::string FakeMachine::said() const {
  return diagnosis_text(examine(machine), true, false);
}

Finding FakeMachine::finding(std::string_view id) const {
  for (const auto& [check, findings] : examine(machine)) {
    for (const Finding& finding : findings.all()) {
      if (finding.kind->id == id) return finding;
    }
  }
  FAIL("there is no finding " << id);
  return {};
}

}  // namespace emud::ctl::test
