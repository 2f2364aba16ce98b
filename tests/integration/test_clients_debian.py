"""What makes Debian systems of another architecture, under a lease: mmdebstrap, debootstrap; and chroot into them.
The packages come from the mirror that this machine's apt uses."""

import shutil
import subprocess

from clients_support import *

SECONDS = 400  # for a bootstrap on a busy machine


def mirror():
    """(address, code name) of the Debian mirror that apt uses, or None."""
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI)",
                             "Created-By: Packages"], stdout=subprocess.PIPE, text=True, check=True).stdout
    for origin, component, codename, address in (line.split() for line in listed.splitlines()):
        if (origin, component) == ("Debian", "main") and "-" not in codename:
            return address, codename
    return None


class ClientTestCase(TestCase):
    programs = ()

    def setUp(self):
        super().setUp()
        for program in self.programs:
            self.require(shutil.which(program), f"{program} is not installed")
        self.mirror = mirror()
        self.require(self.mirror, "apt of this machine knows no Debian mirror")
        give_subordinate_ids()
        self.start_emud()


class Mmdebstrap(ClientTestCase):
    programs = ("mmdebstrap",)

    def test_unprivileged(self):
        """An ordinary user's, in its own user namespace within the lease's; then root's chroot into what it made."""
        address, codename = self.mirror
        archive = self.temporary_directory(ALICE) / "tree.tar"
        made = self.emuctl("run", *ARM64, "mmdebstrap", "--mode=unshare", "--arch=arm64", "--variant=essential",
                           codename, archive, address, timeout=SECONDS, cwd=archive.parent)
        self.assert_status(made, 0)
        tree = self.temporary_directory()
        subprocess.run(["tar", "-C", tree, "--exclude=./dev/*", "-xf", archive], check=True)  # no device nodes here
        ran = self.emuctl("run", *ARM64, "chroot", tree, "/bin/sh", "-c", "uname -m; dpkg --print-architecture; id -u", user=ROOT)
        self.assert_status(ran, 0)
        self.assertEqual(ran.stdout, "aarch64\narm64\n0\n")


class Debootstrap(ClientTestCase):
    programs = ("debootstrap",)
    devices = ("console", "full", "null", "ptmx", "random", "tty", "urandom", "zero")

    def test_second_stage(self):
        """As root: the first stage unpacks natively, the second runs the foreign system's own programs. This machine may make no device
        nodes: it binds its own instead, and says that it is a container."""
        address, codename = self.mirror
        tree = self.temporary_directory() / "tree"
        (tree / "dev").mkdir(parents=True)
        for name in self.devices:
            (tree / "dev" / name).touch()
            subprocess.run(["mount", "--bind", f"/dev/{name}", tree / "dev" / name], check=True)
            self.addCleanup(subprocess.run, ["umount", "-l", tree / "dev" / name], check=True)
        container = {"container": "lxc"}
        first = ["debootstrap", "--foreign", "--arch=arm64", "--variant=minbase", codename, tree, address]
        self.assert_status(run(first, env=container, timeout=SECONDS), 0)
        second = ["chroot", tree, "/debootstrap/debootstrap", "--second-stage"]
        self.assertNotEqual(run(second, env=container).returncode, 0)
        self.assert_status(self.emuctl("run", *ARM64, *second, user=ROOT, env=container, timeout=SECONDS), 0)
        self.assertFalse((tree / "debootstrap").exists())


if __name__ == "__main__":
    main()
