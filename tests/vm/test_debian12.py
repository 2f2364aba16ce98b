"""Debian 12: Linux 6.1 has no private scopes, so everything is the host's, for members of the group; beside binfmt-support."""

from guest_case import *

RUN = "emuctl run -a aarch64 --"


class Debian12(GuestTestCase):
    codename = "bookworm"

    def test_two_commands(self):
        """For a member of the group, after `apt install`; who is none is told what to do."""
        self.assertNotEqual(self.guest(f"{PAYLOAD}/hello").status, 0)
        self.done(f"cd {PAYLOAD} && apt install -y ./emud_*.deb")
        self.done("usermod -aG emud alice")
        self.done(f"cp {PAYLOAD}/hello .", "alice")
        ran = self.assert_done(self.guest("emuctl run -a aarch64 -- ./hello", "alice"))
        self.assertEqual(ran.stdout, HELLO)
        self.assertIn("the host scope is used", ran.stderr)
        self.assert_status(self.guest(f"{RUN} {PAYLOAD}/hello", "bob"), 125, "user bob is not in group emud")
        self.assert_status(self.guest(f"emuctl run --scope private -a aarch64 -- {PAYLOAD}/hello", "alice"), 125, "6.7")
        self.assertEqual(self.handlers(), set())

    def test_units(self):
        unit = "/lib/systemd/system/emud"
        said = self.done(f"systemd-analyze verify --man=no {unit}.socket {unit}.service {unit}-pins.service 2>&1").splitlines()
        # systemd 252: DelegateSubgroup= is of 254, and emud does without (limits are lifted while it is down).
        self.assertEqual([line for line in said if "Unknown key 'DelegateSubgroup'" not in line], [])
        self.assertEqual(self.done("systemctl --failed --no-legend"), "")

    def test_activation(self):
        self.done("systemctl stop emud.service")
        self.assertEqual((self.state("emud.socket"), self.state("emud.service")), ("active", "inactive"))
        self.done("emuctl status", "bob")
        self.assertEqual(self.state("emud.service"), "active")

    def test_restart(self):
        """A lease outlives `systemctl restart`; its handler is there all the time, and goes with it."""
        self.start("lease", f"{RUN} sh -c 'echo started; read line </tmp/lease.go; {PAYLOAD}/hello'", "alice")
        self.done("systemctl restart emud.service")
        self.assertEqual(self.handlers(), {"emud-aarch64"})
        self.assertTrue(self.finish("lease").endswith(HELLO))
        self.assertEqual(self.handlers(), set())

    def test_beside_binfmt_support(self):
        """Its entries stay as they are, through a lease and through a restart of itself."""
        self.done("apt-get install -y --no-install-recommends binfmt-support && "
                  "update-binfmts --install another /bin/true --extension another && systemctl restart binfmt-support")
        before = self.done(f"cat {ENTRIES}/another")
        self.done("emuctl register aarch64", "alice")
        self.done("systemctl restart binfmt-support")
        self.assertEqual(self.done(f"{PAYLOAD}/hello", "bob"), HELLO)
        self.done("emuctl unregister aarch64", "alice")
        self.assertEqual(self.handlers(), {"another"})
        self.assertEqual(self.done(f"cat {ENTRIES}/another"), before)

    def test_nix(self):
        """The machine's own nix-daemon builds for an untrusted user, with its sandbox; what nix.conf lacks is said first."""
        build = "emuctl build -a aarch64 -- hello.nix --no-out-link --option substitute false"
        lacking = self.guest(f"cp {PAYLOAD}/hello.nix {PAYLOAD}/builder . && {build}", "alice")
        self.assertNotEqual(lacking.status, 0, lacking)
        self.assertIn("extra-platforms = aarch64-linux", lacking.stderr)
        self.done("echo 'extra-platforms = aarch64-linux' >>/etc/nix/nix.conf && systemctl restart nix-daemon")
        path = self.done(build, "alice").strip()
        self.assertEqual(self.done(f"cat {path}; stat -c %U {path}").split(), ["aarch64", "root"])

    def test_purge(self):
        self.done("apt purge -y emud")
        self.assert_nothing_left()


if __name__ == "__main__":
    main()
