"""Debian 13: Linux 6.12 has private scopes, systemd 257 has varlinkctl. From a bare system to the purge of the package."""

import json

from guest_case import *

SOCKET = "/run/emud/io.emud.Manager"
HOST_LEASE = "emuctl run --scope host -a aarch64 --"


class Debian13(GuestTestCase):
    codename = "trixie"

    # ---- from a bare system ----

    def test_two_commands(self):
        self.assertNotEqual(self.guest(f"{PAYLOAD}/hello").status, 0)
        self.done(f"apt-get install -y {self.package} qemu-user")
        self.assertEqual(self.done(f"cp {PAYLOAD}/hello . && emuctl run -a aarch64 -- ./hello", "bob"), HELLO)
        self.assertNotEqual(self.guest(f"{PAYLOAD}/hello").status, 0)

    def test_activation(self):
        self.done("systemctl stop emud.service")
        self.assertEqual((self.state("emud.socket"), self.state("emud.service")), ("active", "inactive"))
        self.done("emuctl status", "bob")
        self.assertEqual(self.state("emud.service"), "active")
        self.assertIn("emud.socket", self.done("systemctl list-units --no-legend --state=active 'emud*'"))

    def test_idle_exit(self):
        """emud ends when it has had nothing to do, as a success, and the next connection starts it again."""
        self.done("mkdir -p /etc/emud && echo 'idle-exit = 1' >>/etc/emud/emud.toml && systemctl restart emud.service")
        self.done("emuctl status", "bob")
        self.done("for i in $(seq 300); do [ $(systemctl is-active emud.service) != inactive ] || exit 0; sleep .1; done; exit 1")
        self.assertIn("Result=success", self.done("systemctl show -p Result emud.service"))
        self.assertEqual(self.done(f"emuctl run -a aarch64 -- {PAYLOAD}/hello", "bob"), HELLO)
        self.done("sed -i '/^idle-exit = 1$/d' /etc/emud/emud.toml && systemctl restart emud.service")

    def test_private_leaves_the_host_alone(self):
        before = self.handlers()
        seen = self.done(f"emuctl run -a aarch64 -- sh -c 'ls {ENTRIES}; id -un; {PAYLOAD}/hello'", "bob")
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

    # ---- the host scope ----

    def test_group(self):
        refused = self.guest(f"{HOST_LEASE} {PAYLOAD}/hello", "alice")
        self.assert_status(refused, 125, "user alice is not in group emud")
        self.done("usermod -aG emud alice")
        self.assertEqual(self.done(f"{HOST_LEASE} {PAYLOAD}/hello", "alice"), HELLO)
        self.assert_status(self.guest("emuctl register aarch64", "bob"), 1, "user bob is not in group emud")

    def test_other_registrants(self):
        """systemd-binfmt has an entry of QEMU's package, and flushes everybody's when it starts again; a lease is healed."""
        self.done("apt-get install -y qemu-user-binfmt && systemctl restart systemd-binfmt")
        others = self.handlers()
        self.assertIn("qemu-aarch64", others)
        self.start("lease", f"{HOST_LEASE} sh -c 'echo started; read line </tmp/lease.go; {PAYLOAD}/hello; ls {ENTRIES}'", "alice")
        self.assertIn("emud-aarch64", self.handlers())
        self.done("systemctl restart systemd-binfmt")
        self.done(f"for i in $(seq 100); do [ ! -e {ENTRIES}/emud-aarch64 ] || exit 0; sleep .1; done; exit 1")
        seen = self.finish("lease")
        self.assertIn(HELLO, seen)
        self.assertIn("emud-aarch64", seen)
        self.assertEqual(self.handlers(), others)

    def test_nspawn(self):
        """The F flag: a container of another architecture, with nothing of QEMU in it."""
        self.done(f"mkdir -p /srv/tree/usr/bin /srv/tree/etc && cp {PAYLOAD}/hello /srv/tree/usr/bin/ && touch /srv/tree/etc/os-release")
        seen = self.done("emuctl run --scope host -a aarch64 -- timeout 60 systemd-nspawn -q --as-pid2 -D /srv/tree /usr/bin/hello")
        self.assertIn("hello from aarch64", seen)
        self.assertEqual(self.done("emuctl run -a aarch64 -- chroot /srv/tree /usr/bin/hello"), HELLO)

    def test_nix(self):
        """An untrusted user's build by a multi-user Nix with its sandbox, and no word about aarch64 in nix.conf."""
        self.assertEqual(self.done("cat /etc/nix/nix.conf"), "sandbox = true\n")
        self.assertEqual(self.state("nix-daemon.socket"), "active")
        build = "emuctl build -a aarch64 -- hello.nix --no-out-link --option substitute false"
        path = self.done(f"cp {PAYLOAD}/hello.nix {PAYLOAD}/builder . && {build}", "alice").strip()
        self.assertEqual(self.done(f"cat {path}; stat -c %U {path}").split(), ["aarch64", "root"])

    # ---- a life with packages, restarts and reboots ----

    def test_reinstallation_during_a_build(self):
        """The build goes on while its emud is replaced, and the new emud knows it."""
        self.start("build", f"emuctl run -a aarch64 -- sh -c 'echo started; read line </tmp/build.go; {PAYLOAD}/hello'", "bob")
        self.done(f"apt-get install -y --reinstall {self.package}")
        leases = json.loads(self.done("emuctl status --json"))["leases"]
        self.assertEqual(len(leases), 1, leases)
        self.assertTrue(self.finish("build").endswith(f"started\n{HELLO}"))

    def test_pin_survives_a_reboot(self):
        self.done("emuctl register aarch64 --persist", "alice")
        self.assertIn("emud-aarch64", self.handlers())
        self.machine.reboot()
        self.assertIn("emud-aarch64", self.handlers())
        self.assertEqual(self.done(f"{PAYLOAD}/hello", "bob"), HELLO)
        self.done("emuctl unregister aarch64", "alice")
        self.assertNotIn("emud-aarch64", self.handlers())

    def test_purge(self):
        self.done("emuctl register aarch64", "alice")
        self.done("apt-get purge -y emud")
        self.assert_nothing_left()


if __name__ == "__main__":
    main()
