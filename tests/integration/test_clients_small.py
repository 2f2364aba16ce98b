"""Programs of others under a lease, the quick ones: arch-test, make, buildah."""

import os
import pathlib
import shutil

from clients_support import *

MAKEFILE = """\
CC = aarch64-linux-gnu-gcc
TESTS = one two
check: $(TESTS:%=check-%)
$(TESTS:%=check-%): check-%: %
\t./$<
$(TESTS): %: %.c
\t$(CC) -static -O1 -o $@ $<
"""
PROGRAM = """\
#include <stdio.h>
#include <sys/utsname.h>
int main(void) { struct utsname name; uname(&name); printf("%s on %s\\n", NAME, name.machine); return STATUS; }
"""


def program(name, status=0):
    """The C source of a test program that says where it runs."""
    return PROGRAM.replace("NAME", f'"{name}"').replace("STATUS", str(status))


# Those of arch-test's architectures that QEMU's user mode has. It has none for arc, arm64ilp32, ia64, powerpcspe, x32 and for
# programs of other kernels (kfreebsd, illumos, win).
EMULATED = {
    "alpha", "arm", "arm64", "armel", "armhf", "hppa", "m68k", "mips", "mips64", "mips64el", "mipsel", "mipsn32", "mipsn32el",
    "powerpc", "ppc64", "ppc64el", "riscv64", "s390x", "sh4", "sparc", "sparc64"}


class ArchTest(TestCase):
    """Debian's arch-test has a program of its own for each architecture. It is run for all of them at once: the expected ones, and what
    a newer arch-test has besides if emud knows it."""

    def test_all(self):
        self.require(shutil.which("arch-test"), "arch-test is not installed")
        self.start_emud()
        helpers = pathlib.Path("/usr/libexec/arch-test")
        helpers = helpers if helpers.is_dir() else pathlib.Path("/usr/lib/arch-test")
        native = set(self.arch_test([]))
        foreign = [name for name in sorted(os.listdir(helpers)) if name not in native and self.emulated(name)]
        self.assertEqual(EMULATED - native - set(foreign), set())
        under_lease = set(self.arch_test([BIN_DIR / "emuctl", "run", "-a", ",".join(foreign), "--"]))
        self.assertEqual(under_lease, native | set(foreign))
        self.assertEqual(set(self.arch_test([])), native)

    def arch_test(self, prefix):
        ran = run([*prefix, "arch-test"], ALICE, self.emuctl_environment(None))
        self.assert_status(ran, 0)
        return ran.stdout.split()

    def emulated(self, name):
        """Whether emud knows that architecture and this machine has its emulator."""
        return self.emuctl("run", "-a", name, "--", "true").returncode == 0


class Make(TestCase):
    def test_cross_check(self):
        """`make check` of a project that was compiled for another architecture: its test programs just run, and fail as they should."""
        self.start_emud()
        folder = self.temporary_directory(ALICE)
        (folder / "Makefile").write_text(MAKEFILE)
        (folder / "one.c").write_text(program("one"))
        (folder / "two.c").write_text(program("two"))
        # A shell without a lease takes the program for a script, and quotes it.
        self.assertNotEqual(run(["make", "check"], ALICE, cwd=folder, errors="replace").returncode, 0)
        checked = self.emuctl("run", "-a", "aarch64", "--", "make", "check", cwd=folder)
        self.assert_status(checked, 0)
        self.assertIn("one on aarch64\n", checked.stdout)
        self.assertIn("two on aarch64\n", checked.stdout)
        (folder / "two.c").write_text(program("two", 3))
        failed = self.emuctl("run", "-a", "aarch64", "--", "make", "-s", "check", cwd=folder)
        self.assertEqual(failed.returncode, 2)
        self.assertIn("Error 3", failed.stderr)


class Buildah(TestCase):
    def test_rootless(self):
        """An ordinary user's image of another architecture: newuidmap, a user namespace of buildah's own within the lease's, and RUN in a
        chroot with nothing but the foreign program in it. No registry is asked."""
        self.require(shutil.which("buildah"), "buildah is not installed")
        self.require(shutil.which("newuidmap"), "newuidmap is not installed (uidmap)")
        give_subordinate_ids()
        self.start_emud()
        folder = self.temporary_directory(ALICE)
        (folder / "tree").mkdir()
        shutil.copy(guest("hello-arm64"), folder / "tree/hello")
        (folder / "Containerfile").write_text('FROM scratch\nCOPY tree /bin/\nRUN ["/bin/hello"]\n')
        (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        buildah = ["buildah", "--storage-driver", "vfs", "--root", folder / "storage", "--runroot", folder / "run"]
        # What it wrote belongs to subordinate users: only in such a namespace may it be removed.
        self.addCleanup(run, [*buildah, "unshare", "rm", "-rf", folder / "storage", folder / "run"], ALICE)
        built = self.emuctl("run", *ARM64, *buildah, "bud", "--signature-policy", folder / "policy.json", "--isolation", "chroot",
                            "--arch", "arm64", "-t", "small", folder, cwd=folder)
        self.assert_status(built, 0)
        self.assertIn("hello from aarch64\n", built.stdout)
        shown = run([*buildah, "inspect", "--type", "image", "--format", "{{.OCIv1.Architecture}}", "small"], ALICE)
        self.assertEqual(shown.stdout.strip(), "arm64", shown.stderr)


if __name__ == "__main__":
    main()
