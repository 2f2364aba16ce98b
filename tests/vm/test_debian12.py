"""Debian 12: Linux 6.1 has no private scopes, so everything is the host's, for members of the group; beside binfmt-support."""

from guest_case import *


class Debian12(GuestTestCase):
    codename = "bookworm"

    def test_two_commands(self):
        """For a member of the group; who is none is told what to do."""
        self.assertNotEqual(self.guest(f"{PAYLOAD}/hello").status, 0)
        self.done(f"apt-get install -y {self.package} qemu-user-static && usermod -aG emud alice")
        ran = self.assert_done(self.guest(f"cp {PAYLOAD}/hello . && emuctl run -a aarch64 -- ./hello", "alice"))
        self.assertEqual(ran.stdout, HELLO)
        self.assertIn("the host scope is used", ran.stderr)
        self.assert_status(self.guest(f"emuctl run -a aarch64 -- {PAYLOAD}/hello", "bob"), 125, "user bob is not in group emud")
        self.assert_status(self.guest(f"emuctl run --scope private -a aarch64 -- {PAYLOAD}/hello", "alice"), 125, "6.7")
        self.assertNotIn("emud-aarch64", self.handlers())

    def test_beside_binfmt_support(self):
        """Its entries stay as they are, through a lease and through a restart of itself."""
        self.done("apt-get install -y binfmt-support && update-binfmts --import; systemctl restart binfmt-support")
        before = self.done(f"cat {ENTRIES}/qemu-aarch64")
        seen = self.done(f"emuctl run -a aarch64 -- sh -c 'ls {ENTRIES}; {PAYLOAD}/hello'", "alice")
        self.assertIn("emud-aarch64", seen)
        self.assertTrue(seen.endswith(HELLO), seen)
        self.done("emuctl register aarch64", "alice")
        self.done("systemctl restart binfmt-support")
        self.assertEqual(self.done(f"{PAYLOAD}/hello", "bob"), HELLO)
        self.done("emuctl unregister aarch64", "alice")
        self.assertNotIn("emud-aarch64", self.handlers())
        self.assertEqual(self.done(f"cat {ENTRIES}/qemu-aarch64"), before)

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
        self.done("apt-get purge -y emud")
        self.assert_nothing_left()


if __name__ == "__main__":
    main()
