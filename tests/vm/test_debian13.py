"""Debian 13: Linux 6.12 has private scopes, systemd 257 has varlinkctl. From a bare system to the purge of the package."""

import json

from guest_case import *

SOCKET = "/run/emud/io.emud.Manager"
RUN = "emuctl run -a aarch64 --"
HOST_RUN = "emuctl run --scope host -a aarch64 --"
UNITS = "/usr/lib/systemd/system/emud"


def waiting(name, run=RUN):
    """A build that begins and then waits for finish(name)."""
    return f"{run} sh -c 'echo started; read line </tmp/{name}.go; {PAYLOAD}/hello'"


class Debian13(GuestTestCase):
    codename = "trixie"

    # ---- from a bare system ----

    def test_two_commands(self):
        """No emulator is installed, and none is by apt: emud fetches it from apt's mirror."""
        self.assertNotEqual(self.guest(f"{PAYLOAD}/hello").status, 0)
        self.assertEqual(self.handlers(), set())
        self.done(f"cd {PAYLOAD} && apt install -y ./emud_*.deb")
        self.done(f"cp {PAYLOAD}/hello .", "bob")
        self.assertEqual(self.done("emuctl run -a aarch64 -- ./hello", "bob"), HELLO)
        self.assertNotEqual(self.guest("./hello", "bob").status, 0)
        self.assertEqual(self.done("ls /usr/bin/qemu-* 2>/dev/null; true"), "")

    def test_units(self):
        self.assertEqual(self.done(f"systemd-analyze verify --man=no {UNITS}.socket {UNITS}.service {UNITS}-pins.service 2>&1"), "")
        self.assertEqual(self.done("systemctl --failed --no-legend"), "")

    def test_activation(self):
        self.done("systemctl stop emud.service")
        self.assertEqual((self.state("emud.socket"), self.state("emud.service")), ("active", "inactive"))
        self.done("emuctl status", "bob")
        self.assertEqual(self.state("emud.service"), "active")

    def test_idle_exit(self):
        """emud ends when it has had nothing to do, as a success, and the next connection starts it again."""
        self.done("echo 'idle-exit = 1' >>/etc/emud/emud.toml && systemctl restart emud.service")
        self.done("emuctl status", "bob")
        self.done("for i in $(seq 300); do [ $(systemctl is-active emud.service) != inactive ] || exit 0; sleep .1; done; exit 1")
        self.assertIn("Result=success", self.done("systemctl show -p Result emud.service"))
        self.assertEqual(self.done(f"{RUN} {PAYLOAD}/hello", "bob"), HELLO)
        self.done("sed -i '/^idle-exit = 1$/d' /etc/emud/emud.toml && systemctl restart emud.service")

    def test_controllers(self):
        """The kernel's controllers bound a lease, also while emud is down; what needs more memory is ended."""
        self.done("systemctl reset-failed emud.service")  # or its starts in a row are too many: systemd.unit(5), StartLimitBurst=
        self.done("printf 'lease-memory = 268435456\\nlease-processes = 64\\n' >>/etc/emud/emud.toml && systemctl restart emud.service")
        limits = "cd /sys/fs/cgroup/system.slice/emud.service && cat emud-user-*/*/memory.max emud-user-*/*/pids.max"
        self.start("limits", waiting("limits"), "bob")
        self.assertEqual(self.done(limits), "268435456\n64\n")
        self.done("systemctl stop emud.service")
        self.assertEqual(self.done(limits), "268435456\n64\n")
        self.assertTrue(self.finish("limits").endswith(HELLO))
        self.done("systemctl reset-failed emud.service")
        greedy = self.guest(f"{RUN} sh -c 'head -c 600M /dev/zero | tail >/dev/null'", "bob")
        self.assertEqual(greedy.status, 137, greedy)
        self.done("systemctl reset-failed emud.service")
        self.done("sed -i '/^lease-[mp].*= [0-9]*$/d' /etc/emud/emud.toml && systemctl restart emud.service")

    def test_private_leaves_the_host_alone(self):
        before = self.handlers()
        seen = self.done(f"{RUN} sh -c 'ls {ENTRIES}; id -un; {PAYLOAD}/hello'", "bob")
        self.assertIn("emud-aarch64", seen)
        self.assertTrue(seen.endswith(f"bob\n{HELLO}"), seen)
        self.assertEqual(self.handlers(), before)

    def test_varlinkctl(self):
        self.assertIn("io.emud.Manager", self.done(f"varlinkctl info {SOCKET}", "bob"))
        self.assertIn("method Acquire", self.done(f"varlinkctl introspect {SOCKET} io.emud.Manager", "bob"))
        status = json.loads(self.done(f"varlinkctl call --json=short {SOCKET} io.emud.Manager.GetStatus '{{}}'", "bob"))
        self.assertIn("aarch64", json.dumps(status))

    def test_rootless(self):
        self.assertEqual(self.done(f"emuctl run --rootless -a aarch64 -- {PAYLOAD}/hello", "bob"), HELLO)

    def test_journal(self):
        """What happened is found by its fields, and explained."""
        self.done(f"{RUN} {PAYLOAD}/hello", "bob")
        entries = self.done("journalctl -q -b EMUD_UID=$(id -u bob) EMUD_EVENT=lease_ready -o json").splitlines()
        last = json.loads(entries[-1])
        self.assertEqual((last["EMUD_ARCH"], last["EMUD_SCOPE"]), ("aarch64", "private"))
        whole = self.done(f"journalctl -q -b -x EMUD_LEASE={last['EMUD_LEASE']}")
        for explanation in ("A lease is ready", "A lease has ended", "A request was granted", f"Lease {last['EMUD_LEASE']} (scope private)"):
            self.assertIn(explanation, whole)

    # ---- the host scope ----

    def test_group(self):
        refused = f"{HOST_RUN} {PAYLOAD}/hello"
        self.assert_status(self.guest(refused, "alice"), 125, "user alice is not in group emud")
        self.done("usermod -aG emud alice")
        self.assertEqual(self.done(f"{HOST_RUN} {PAYLOAD}/hello", "alice"), HELLO)
        self.done("gpasswd -d alice emud")
        self.assert_status(self.guest(refused, "alice"), 125, "user alice is not in group emud")
        self.assert_status(self.guest("emuctl register aarch64", "bob"), 1, "user bob is not in group emud")
        self.done("usermod -aG emud alice")

    def test_register(self):
        self.done("emuctl register aarch64", "alice")
        self.assertEqual(self.done(f"{PAYLOAD}/hello", "bob"), HELLO)
        self.done("emuctl unregister aarch64", "alice")
        self.assertEqual(self.handlers(), set())

    def test_systemd_binfmt(self):
        """systemd-binfmt flushes everybody's entries when it starts again; a lease's is put back, and others are left alone."""
        self.done("mkdir -p /etc/binfmt.d && echo ':another:E::another::/bin/true:' >/etc/binfmt.d/another.conf && "
                  "systemctl restart systemd-binfmt")
        self.assertEqual(self.handlers(), {"another"})
        self.start("lease", waiting("lease", HOST_RUN), "alice")
        self.assertEqual(self.handlers(), {"another", "emud-aarch64"})
        self.done("systemctl restart systemd-binfmt")
        self.done(f"for i in $(seq 100); do [ ! -e {ENTRIES}/emud-aarch64 ] || exit 0; sleep .1; done; exit 1")
        self.assertIn(HELLO, self.finish("lease"))
        self.assertEqual(self.handlers(), {"another"})
        self.done("rm /etc/binfmt.d/another.conf && systemctl restart systemd-binfmt")

    def test_nspawn(self):
        """The F flag: a container of another architecture, with nothing of QEMU in it."""
        self.done(f"mkdir -p /srv/tree/usr/bin /srv/tree/etc && cp {PAYLOAD}/hello /srv/tree/usr/bin/ && touch /srv/tree/etc/os-release")
        seen = self.done("emuctl run --scope host -a aarch64 -- timeout 60 systemd-nspawn -q --as-pid2 -D /srv/tree /usr/bin/hello")
        self.assertIn("hello from aarch64", seen)
        self.assertEqual(self.done(f"{RUN} chroot /srv/tree /usr/bin/hello"), HELLO)

    def test_nix(self):
        """An untrusted user's build by a multi-user Nix with its sandbox, and no word about aarch64 in nix.conf."""
        self.assertEqual(self.done("cat /etc/nix/nix.conf"), "sandbox = true\nsandbox-fallback = false\n")
        self.assertEqual(self.state("nix-daemon.socket"), "active")
        build = "emuctl build -a aarch64 -- hello.nix --no-out-link --option substitute false"
        path = self.done(f"cp {PAYLOAD}/hello.nix {PAYLOAD}/builder . && {build}", "alice").strip()
        self.assertEqual(self.done(f"cat {path}; stat -c %U {path}").split(), ["aarch64", "root"])

    # ---- a life with restarts, packages and reboots ----

    def start_both(self):
        """A private build and a host lease, by two users."""
        self.start("private", waiting("private"), "bob")
        self.start("host", waiting("host", HOST_RUN), "alice")

    def finish_both(self):
        """They are known to the emud of now, end well, and their handler goes."""
        leases = json.loads(self.done("emuctl status --json"))["status"]["leases"]
        self.assertEqual(len(leases), 2, leases)
        self.assertIn("emud-aarch64", self.handlers())
        for name in ("private", "host"):
            self.assertTrue(self.finish(name).endswith(HELLO))
        self.assertEqual(self.handlers(), set())

    def test_restart(self):
        self.start_both()
        self.done("systemctl restart emud.service")
        self.finish_both()

    def test_killed(self):
        self.start_both()
        self.done("before=$(systemctl show -P MainPID emud.service); systemctl kill --signal=KILL --kill-whom=main emud.service; "
                  "for i in $(seq 300); do now=$(systemctl show -P MainPID emud.service); "
                  "[ $now = 0 ] || [ $now = $before ] || exit 0; sleep .1; done; exit 1")
        self.finish_both()

    def test_upgrade(self):
        """To a newer version and again to the same: builds go on, and the store is kept."""
        emulators = self.done("emuctl emulator list --installed --json")
        self.start_both()
        self.done(f"cd {PAYLOAD} && apt install -y ./newer_*.deb")
        self.assertIn("+newer", self.done("dpkg-query -W -f '${Version}' emud"))
        self.done(f"cd {PAYLOAD} && apt install -y --reinstall ./newer_*.deb")
        self.assertEqual(self.state("emud.socket"), "active")
        self.finish_both()
        self.assertEqual(self.done("emuctl emulator list --installed --json"), emulators)

    def test_pin_survives_a_reboot(self):
        self.done("emuctl register aarch64 --persist", "alice")
        self.machine.reboot()
        self.assertEqual(self.handlers(), {"emud-aarch64"})
        self.assertEqual(self.done(f"{PAYLOAD}/hello", "bob"), HELLO)

    def test_purge(self):
        """With a pin, builds that run, and a catalog of the administrator's."""
        self.start_both()
        self.done("mkdir -p /etc/emud/catalog.d && echo '{}' >/etc/emud/catalog.d/own.json; apt purge -y emud")
        for name in ("private", "host"):
            self.done(f"for i in $(seq 100); do [ ! -e /tmp/{name}.status ] || break; sleep .1; done; [ $(cat /tmp/{name}.status) != 0 ]")
        self.assert_nothing_left()


if __name__ == "__main__":
    main()
