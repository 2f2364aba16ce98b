// Each fault alone on a machine that has no other.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <set>

#include "arch/architecture.h"
#include "ctl/fake_machine.h"
#include "emulator/manifest.h"
#include "support/catch.h"

namespace emud::ctl {
namespace {

using test::FakeMachine;
using Found = std::vector<std::string>;

TEST_CASE("doctor: a healthy machine has no finding") {
  const FakeMachine fake;
  CHECK(fake.found().empty());
  const auto diagnoses = examine(fake.machine);
  CHECK_FALSE(has_errors(diagnoses));
  CHECK(diagnosis_text(diagnoses, false, false) ==
        "All is well: builds for other architectures can run here.\n");
}

TEST_CASE("doctor: every finding is in the table once, with its meaning") {
  std::set<std::string_view> ids;
  for (const auto& [id, levels, meaning] : finding_kinds()) {
    INFO(id);
    CHECK(ids.insert(id).second);
    CHECK_FALSE(levels.empty());
    CHECK(meaning.size() > 20);
    CHECK_FALSE(meaning.ends_with('.'));
  }
}

TEST_CASE("doctor: an old kernel") {
  FakeMachine fake;
  fake.machine.release = "6.1.0-40-amd64";
  fake.forbid_private_leases();
  CHECK(fake.found() == Found{"error kernel-old", "error group-not-member"});
  CHECK(fake.finding("group-not-member").mend == "sudo usermod --append --groups emud alice");
  fake.write("/etc/group", "emud:x:998:carol,alice\n");
  CHECK(fake.found() == Found{"warning kernel-old"});
}

TEST_CASE("doctor: a kernel without binfmt_misc") {
  FakeMachine fake;
  fake.forbid_private_leases();
  fake.machine.daemon.status->host_scope = false;
  fake.write("/proc/filesystems", "nodev\tproc\n");
  CHECK(fake.finding("binfmt-missing").level == Level::error);
  fake.write("/lib/modules/6.12.48+deb13-amd64/modules.dep", "kernel/fs/binfmt_misc.ko.xz:\n");
  CHECK(fake.finding("userns-refused").level == Level::error);
  for (const auto& line : fake.found()) CHECK(line != "error binfmt-missing");
}

TEST_CASE("doctor: what stands in the way of user namespaces") {
  FakeMachine fake;
  fake.machine.rootless_failure = fail(Errc::permission_denied, "try", "it", "refused").error();
  CHECK(fake.found() == Found{"note userns-refused"});
  fake.write("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n");
  CHECK(fake.found() == Found{"note userns-apparmor"});
  fake.write("/etc/apparmor.d/emuctl", "");
  CHECK(fake.finding("userns-apparmor").mend.find("apparmor_parser") != std::string::npos);
  fake.write("/proc/sys/user/max_mnt_namespaces", "0\n");
  CHECK(
      fake.finding("userns-disabled").mend.starts_with("sudo sysctl -w user.max_mnt_namespaces="));
  fake.remove("/proc/sys/user/max_mnt_namespaces");
  fake.write("/proc/sys/kernel/unprivileged_userns_clone", "0\n");
  CHECK(fake.found() == Found{"note userns-restricted"});
  fake.write("/proc/sys/user/max_user_namespaces", "0\n");
  CHECK(fake.found() == Found{"note userns-disabled"});
  fake.remove("/proc/self/ns/user");
  CHECK(fake.found() == Found{"note userns-missing"});
  fake.end_daemon(ENOENT);
  CHECK(fake.found() == Found{"error userns-missing", "error socket-missing"});
}

TEST_CASE("doctor: mounts of binfmt_misc") {
  FakeMachine fake;
  const std::string place = " / /proc/sys/fs/binfmt_misc ";
  const std::string cgroup = "30 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
  const std::string trigger = "31 22 0:27" + place + "rw - autofs systemd-1 rw\n";
  SECTION("none") {
    fake.write("/proc/self/mountinfo", cgroup);
    CHECK(fake.found() == Found{"note binfmt-not-mounted"});
    fake.end_daemon(ENOENT);
    CHECK(fake.found() == Found{"note socket-missing"});
  }
  SECTION("a dead automount") {
    fake.write("/proc/self/mountinfo", cgroup + trigger);
    CHECK(fake.found() == Found{"warning binfmt-autofs-dead"});
  }
  SECTION("read-only") {
    fake.write("/proc/self/mountinfo",
               cgroup + "99 31 0:44" + place + "ro,nosuid shared:1 - binfmt_misc none rw\n");
    CHECK(fake.found() == Found{"warning binfmt-read-only"});
    fake.forbid_private_leases();
    CHECK(fake.finding("binfmt-read-only").level == Level::error);
  }
  SECTION("switched off") {
    fake.write("/proc/sys/fs/binfmt_misc/status", "disabled\n");
    CHECK(fake.found() == Found{"warning binfmt-switched-off"});
  }
}

TEST_CASE("doctor: WSL, a container, a seccomp filter") {
  FakeMachine fake;
  fake.machine.release = "6.18.33.2-microsoft-standard-WSL2";
  fake.write("/.dockerenv", "");
  CHECK(fake.found().empty());
  CHECK(fake.said().find("  a container: there is /.dockerenv\n") != std::string::npos);
  CHECK(fake.said().find("  the Windows Subsystem for Linux (6.18.33.2-") != std::string::npos);
  fake.write("/proc/self/status", "Seccomp:\t2\nSeccomp_filters:\t1\n");
  CHECK(fake.found() == Found{"warning seccomp-filter"});
  fake.forbid_private_leases();
  CHECK(fake.found() == Found{"error userns-seccomp"});
  fake.end_daemon(ENOENT);
  CHECK(fake.found() == Found{"error userns-seccomp", "error socket-missing"});
}

TEST_CASE("doctor: the socket") {
  FakeMachine fake;
  SECTION("missing") {
    fake.end_daemon(ENOENT);
    CHECK(fake.found() == Found{"note socket-missing"});
    fake.machine.endpoint.is_explicit = true;
    CHECK(fake.found() == Found{"error socket-missing"});
  }
  SECTION("dead") {
    fake.end_daemon(ECONNREFUSED);
    CHECK(fake.found() == Found{"warning socket-dead"});
  }
  SECTION("forbidden") {
    fake.end_daemon(EACCES);
    CHECK(fake.found() == Found{"error socket-forbidden"});
  }
  SECTION("somebody else's") {
    fake.end_daemon(0);
    CHECK(fake.found() == Found{"error socket-not-emud"});
  }
  SECTION("another version") {
    fake.machine.daemon.status->version = "1.2.2";
    CHECK(fake.found() == Found{"warning version-differs"});
  }
}

TEST_CASE("doctor: the group, which the configuration names") {
  FakeMachine fake;
  fake.machine.daemon.status->policy.private_for_everyone = false;
  fake.machine.daemon.status->policy.group = "builders";
  CHECK(fake.found() == Found{"note group-missing"});
  CHECK(fake.finding("group-missing").mend ==
        "sudo groupadd --system builders\nsudo usermod --append --groups builders alice");
  fake.write("/etc/group", "emud:x:998:alice\nbuilders:x:997:carol,bob\n");
  CHECK(fake.found() == Found{"warning group-not-member"});
  CHECK(fake.finding("group-not-member").what == "alice is not a member of the group builders");
  fake.forbid_private_leases();
  CHECK(fake.finding("group-not-member").level == Level::error);
}

TEST_CASE("doctor: who is in the group is what the databases say, as for emud") {
  FakeMachine fake;
  fake.machine.daemon.status->policy.private_for_everyone = false;
  fake.machine.caller.groups.push_back(998);  // of a session that began when alice was a member
  CHECK(fake.found() == Found{"warning group-not-member"});
  fake.write("/etc/group", "emud:x:998:bob,alice\n");
  fake.machine.caller.groups = {1000};  // of a session that began before she was
  CHECK(fake.found().empty());
  fake.write("/etc/group", "emud:x:998:\n");
  fake.write("/etc/passwd", "alice:x:1000:998::/home/alice:/bin/sh\n");
  CHECK(fake.found().empty());
  fake.write("/etc/passwd", "");  // of a directory service: only the process can tell
  CHECK(fake.found() == Found{"warning group-not-member"});
  fake.machine.caller.groups.push_back(998);
  CHECK(fake.found().empty());
}

TEST_CASE("doctor: emulators of the machine's own") {
  FakeMachine fake;
  fake.add_program("/usr/bin/qemu-riscv64", true);
  CHECK(fake.found() == Found{"warning emulator-dynamic"});
  CHECK(fake.finding("emulator-dynamic").what == "dynamically linked: /usr/bin/qemu-riscv64");
  fake.remove("/usr/bin/qemu-riscv64");
  fake.remove("/usr/bin/qemu-aarch64-static");
  CHECK(fake.found() == Found{"error emulator-none"});
  CHECK(fake.finding("emulator-none").mend ==
        "sudo apt-get install --no-install-recommends qemu-user");
  fake.write("/etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
  CHECK(fake.finding("emulator-none").mend ==
        "sudo apt-get install --no-install-recommends qemu-user-static");
  fake.machine.daemon.status->emulators.push_back({});
  CHECK(fake.found().empty());
}

// A catalog with one package for this machine, and what is known of QEMU before 7.2.
Catalog catalog_with_note(std::string_view effect) {
  Catalog catalog;
  const std::string digest(64, 'c');
  const auto added = catalog.add(
      fmt::format(
          R"({{"version":1,"packages":[{{"host":"{0}","version":"10.0.2","package":"q","package_version":"1",)"
          R"("file":"q_1.deb","pool_path":"pool/q_1.deb","size":1,"sha256":"{1}","members":[)"
          R"({{"architecture":"riscv64","path":"usr/bin/qemu-riscv64","sha256":"{1}"}}]}}],)"
          R"("notes":[{{"before":"7.2","effect":"{2}","text":"It is old","instead":"Use a newer one"}}]}})",
          host_architecture().name, digest, effect),
      "catalog.json");
  if (!added) FAIL(added.error().message());
  return catalog;
}

TEST_CASE("doctor: where an emulator may be fetched, none has to be there") {
  FakeMachine fake;
  fake.remove("/usr/bin/qemu-aarch64-static");
  fake.machine.catalog = catalog_with_note("slow");
  CHECK(fake.found() == Found{"error emulator-none"});
  fake.machine.daemon.status->policy.fetch = true;
  CHECK(fake.found() == Found{"note emulator-none"});
  CHECK(fake.finding("emulator-none").mend.starts_with("sudo emuctl emulator install "));
  fake.end_daemon(ENOENT);
  CHECK(fake.finding("emulator-none").mend.starts_with("emuctl emulator install --rootless "));
  fake.machine.catalog = {};
  CHECK(fake.finding("emulator-none").level == Level::error);
}

TEST_CASE("doctor: what is known to be wrong with the emulator that builds get") {
  FakeMachine fake;
  auto& emulators = fake.machine.daemon.status->emulators;
  emulators.push_back(
      {.architecture = "riscv64", .version = "6.2", .digest = {}, .source = {}, .installed = {}});
  fake.machine.catalog = catalog_with_note("slow");
  CHECK(fake.found() == Found{"note emulator-note"});
  CHECK(fake.finding("emulator-note").what == "QEMU 6.2 for riscv64: It is old. Use a newer one");
  CHECK(fake.finding("emulator-note").mend == "sudo emuctl emulator install riscv64");
  fake.machine.catalog = catalog_with_note("broken");
  CHECK(fake.found() == Found{"warning emulator-note"});
  emulators.push_back(
      {.architecture = "riscv64", .version = "9.2", .digest = {}, .source = {}, .installed = {}});
  CHECK(fake.found().empty());
}

TEST_CASE("doctor: a catalog that cannot be read") {
  FakeMachine fake;
  fake.machine.catalog_failure = fail(Errc::invalid_argument, "read catalog",
                                      "/etc/emud/catalog.d/own.json: packages[0].size", "it is -1")
                                     .error();
  CHECK(fake.found() == Found{"warning catalog-broken"});
  CHECK(fake.finding("catalog-broken").mend ==
        "sudo mv /etc/emud/catalog.d/own.json /etc/emud/catalog.d/own.json.off");
  fake.machine.catalog_failure->code = Errc::permission_denied;
  CHECK(fake.finding("catalog-broken").mend.starts_with("sudo chown root:root /etc/emud/"));
  fake.end_daemon(ENOENT);
  CHECK(fake.finding("catalog-broken").level == Level::error);
}

TEST_CASE("doctor: the store") {
  FakeMachine fake;
  const std::string digest(64, 'a');
  const std::string entry = "/var/lib/emud/store/" + digest;
  fake.write(entry + "/qemu-aarch64", "not what it was");
  CHECK(fake.found() == Found{"warning store-broken"});
  const Manifest manifest{.architecture = "aarch64",
                          .version = "7.2.22",
                          .digest = digest,
                          .interpreter = {},
                          .source = "/a",
                          .package_digest = {},
                          .installed = "2026-02-03T04:05:06Z"};
  fake.write(entry + "/manifest.json", format_manifest(manifest));
  CHECK(fake.found() == Found{"error store-corrupt"});
  CHECK(fake.finding("store-corrupt").mend ==
        "sudo emuctl emulator remove aaaaaaaaaaaa\nsudo emuctl emulator install aarch64");
  REQUIRE(::chmod((fake.machine.root + "/var/lib/emud/store").c_str(), 0777) == 0);
  CHECK(fake.found() == Found{"error store-untrusted"});
}

TEST_CASE("doctor: handlers of others") {
  FakeMachine fake;
  fake.add_handler("emud-aarch64", "PF");
  CHECK(fake.found().empty());
  fake.add_handler("qemu-aarch64", "POF");
  fake.write("/run/systemd/system/x", "");
  fake.write("/usr/lib/binfmt.d/qemu.conf", "# of QEMU\n:qemu-aarch64:M::\\x7fELF::/q:OF\n");
  CHECK(fake.found().empty());
  CHECK(fake.said().find("  qemu-aarch64 is somebody else's handler for aarch64, with the flags "
                         "POF: ") != std::string::npos);
  CHECK(fake.said().find("  systemd-binfmt registers /usr/lib/binfmt.d/qemu.conf: ") !=
        std::string::npos);
  fake.add_handler("qemu-aarch64", "P");
  CHECK(fake.found() == Found{"warning handler-no-fix-binary"});
  fake.add_handler("qemu-aarch64", "POCF");
  CHECK(fake.found() == Found{"warning handler-credentials"});
  CHECK(fake.finding("handler-credentials").mend ==
        "sudo mkdir -p /etc/binfmt.d\nsudo ln -sf /dev/null /etc/binfmt.d/qemu.conf\n"
        "sudo systemctl restart systemd-binfmt.service");
  fake.remove("/usr/lib/binfmt.d/qemu.conf");
  CHECK(fake.finding("handler-credentials").mend ==
        "echo -1 | sudo tee /proc/sys/fs/binfmt_misc/qemu-aarch64");
  fake.write("/var/lib/binfmts/qemu-aarch64", "qemu-user\n");
  CHECK(fake.finding("handler-credentials").mend == "sudo update-binfmts --disable qemu-aarch64");
}

TEST_CASE("doctor: a handler of emud's that is lost") {
  FakeMachine fake;
  wire::Handler handler;
  handler.architecture = "aarch64";
  handler.name = "emud-aarch64";
  handler.state = "ready";
  fake.machine.daemon.status->handlers = {handler};
  CHECK(fake.found().empty());
  fake.machine.daemon.status->handlers[0].state = "lost";
  fake.machine.daemon.status->handlers[0].reason = "read-only file system";
  CHECK(fake.found() == Found{"warning handler-lost"});
  CHECK(fake.finding("handler-lost").what == "emud-aarch64: read-only file system");
}

TEST_CASE("doctor: nix.conf") {
  FakeMachine fake;
  SECTION("nothing wrong") {
    fake.write("/etc/nix/nix.conf", "sandbox = true # false\ntrusted-users = root\n");
    CHECK(fake.found().empty());
  }
  SECTION("no sandbox, and everybody trusted, in an included file") {
    fake.write("/etc/nix/nix.conf", "sandbox = false\n!include more.conf\n");
    fake.write("/etc/nix/more.conf", "extra-trusted-users = *\n");
    CHECK(fake.found() == Found{"warning nix-sandbox-off", "warning nix-trusts-everyone"});
  }
  SECTION("setuid programs of builders, alone and with a handler that makes them root") {
    fake.write("/etc/nix/nix.conf", "filter-syscalls = false\n");
    CHECK(fake.found() == Found{"warning nix-syscalls-unfiltered"});
    fake.add_handler("qemu-aarch64", "OCF");
    CHECK(fake.finding("nix-root-hole").level == Level::error);
  }
  SECTION("a host lease, and a nix-daemon that does not build for its architecture") {
    fake.write("/nix/var/nix/daemon-socket/socket", "");
    fake.machine.daemon.status->emulators.push_back(
        {.architecture = "aarch64", .version = "7.2", .digest = {}, .source = {}, .installed = {}});
    CHECK(fake.found().empty());
    fake.forbid_private_leases();
    CHECK(fake.finding("nix-platforms").what == "nix.conf lacks aarch64-linux");
    fake.write("/etc/nix/nix.conf", "extra-platforms = aarch64-linux\n");
    for (const auto& line : fake.found()) CHECK(line != "warning nix-platforms");
  }
  SECTION("on NixOS the file is not for writing") {
    fake.write("/etc/NIXOS", "");
    fake.write("/etc/nix/nix.conf", "sandbox = false\n");
    CHECK(fake.finding("nix-sandbox-off").mend.ends_with("\nsudo nixos-rebuild switch"));
  }
}

TEST_CASE("doctor: containers") {
  FakeMachine fake;
  fake.write("/run/docker.sock", "");
  CHECK(fake.found() == Found{"note docker"});
  CHECK(fake.finding("docker").mend.find("sudo emuctl register ") == 0);
  fake.remove("/run/docker.sock");
  fake.write("/usr/bin/podman", "");
  REQUIRE(::chmod((fake.machine.root + "/usr/bin/podman").c_str(), 0755) == 0);
  fake.write("/etc/subuid", "bob:100000:65536\n");
  CHECK(fake.found() == Found{"warning newuidmap-missing", "warning subuid-missing"});
}

TEST_CASE("doctor: resources") {
  FakeMachine fake;
  fake.write("/proc/meminfo", "MemTotal:        4030000 kB\nSwapTotal:             0 kB\n");
  CHECK(fake.found() == Found{"warning memory-low"});
  CHECK(fake.finding("memory-low").what == "3.8 GiB of memory, no swap");
  fake.write("/proc/meminfo", "MemTotal:        4030000 kB\nSwapTotal:       8388604 kB\n");
  fake.machine.free_in_store = 1 << 20;
  fake.machine.free_in_temporary = 1 << 20;
  CHECK(fake.found() == Found{"warning disk-store-low", "warning disk-temporary-low"});
  fake.machine.free_in_store = fake.machine.free_in_temporary = std::uint64_t{9} << 30;
  fake.write("/proc/self/mountinfo",
             "99 31 0:44 / /proc/sys/fs/binfmt_misc rw - binfmt_misc binfmt_misc rw\n");
  CHECK(fake.found() == Found{"note cgroup-v1"});
}

TEST_CASE("doctor: each finding says what it means and how it is mended, in JSON too") {
  FakeMachine fake;
  fake.write("/etc/nix/nix.conf", "sandbox = false\n");
  const auto diagnoses = examine(fake.machine);
  const std::string text = diagnosis_text(diagnoses, true, false);
  CHECK(text.find("warning: nix.conf has sandbox = false [nix-sandbox-off]\n  Nix builds without a "
                  "sandbox") != std::string::npos);
  CHECK(text.find("\n    echo 'sandbox = true' | sudo tee -a /etc/nix/nix.conf\n") !=
        std::string::npos);
  CHECK(text.find("ok: kernel version") != std::string::npos);
  CHECK(text.find("All is well") == std::string::npos);
  const std::string json = diagnosis_json(diagnoses);
  CHECK(json.starts_with(R"({"version":1,"ready":true,"checks":[{"check":"kernel",)"));
  CHECK(json.find(R"("id":"nix-sandbox-off","level":"warning")") != std::string::npos);
}

}  // namespace
}  // namespace emud::ctl
