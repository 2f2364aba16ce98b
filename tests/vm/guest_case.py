"""What the tests in virtual machines share: one machine for the tests of a class, which run in the order in which they are written,
and what is the same on every release."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

from machine import PAYLOAD, Machine

SOURCE = pathlib.Path(os.environ["EMUD_SOURCE_DIR"])
BUILD = pathlib.Path(os.environ["EMUD_BUILD_DIR"])
IMAGES = SOURCE / "build/vm"
PACKAGES = SOURCE / "build/deb"
HELLO = "hello from aarch64\n"
ENTRIES = "/proc/sys/fs/binfmt_misc"


def skip(reason):
    """Ends the program as skipped, in the way of tests/support/summary."""
    print(f"SKIPPED: virtual machines: {reason}", flush=True)
    sys.exit(77)


def newer(package, folder):
    """The same package with a higher version number, as an upgrade."""
    tree, result = folder / "tree", folder / "newer.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^(Version: .*)$", r"\1+newer", control.read_text()))
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, result], check=True, stdout=subprocess.DEVNULL)
    return result


class GuestTestCase(unittest.TestCase):
    codename = None  # of the release

    @classmethod
    def setUpClass(cls):
        if not (IMAGES / f"{cls.codename}.key").exists():
            skip(f"there is no image of {cls.codename}: tests/vm/image says why")
        package = next(iter(sorted(PACKAGES.glob("emud_*.deb"))), None)
        if package is None:
            raise RuntimeError(f"there is no package of emud in {PACKAGES}: packaging/build-deb --build-dir build/release makes it")
        files = {package.name: package, "hello": BUILD / "guest/hello-arm64", "builder": BUILD / "guest/builder",
                 "hello.nix": SOURCE / "packaging/examples/hello.nix"}
        with tempfile.TemporaryDirectory(prefix="emud-vm-") as folder:
            files["newer_" + package.name] = newer(package, pathlib.Path(folder))
            cls.machine = Machine(cls.codename, IMAGES, files)
        cls.addClassCleanup(cls.machine.close)
        print(f"{cls.codename}: booted in {cls.machine.wait_until_booted():.0f} s", flush=True)
        updated = cls.machine.run("apt-get update")
        if updated.status != 0:
            raise RuntimeError(str(updated))

    def run(self, result=None):
        """Prints what a failed test did in the guest."""
        self.machine.log.clear()
        broken = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > broken:
            for answer in self.machine.log:
                print(answer)
            try:
                print(self.machine.run("journalctl -b -u 'emud*' -n 60 --no-pager").stdout, flush=True)
            except (RuntimeError, OSError) as error:
                print(error, flush=True)

    def guest(self, script, user="root", **more):
        return self.machine.run(script, user, **more)

    def assert_done(self, answer):
        self.assertEqual(answer.status, 0, answer)
        return answer

    def done(self, script, user="root", **more):
        """stdout of a script that must succeed."""
        return self.assert_done(self.guest(script, user, **more)).stdout

    def start(self, name, command, user):
        """Starts a shell command that says "started" once it is under way and then waits; finish() lets it go on."""
        inner = f"cd; {command}"
        self.done(f"rm -f /tmp/{name}.*; mkfifo -m 666 /tmp/{name}.go; (setpriv --reuid {user} --regid {user} --init-groups --reset-env "
                  f"bash -c {shlex.quote(inner)} >/tmp/{name}.out 2>&1; echo $? >/tmp/{name}.status) & "
                  f"for i in $(seq 600); do grep -qs started /tmp/{name}.out && exit; [ ! -e /tmp/{name}.status ] || break; sleep .1; done; "
                  f"cat /tmp/{name}.out; exit 1")

    def finish(self, name):
        """Its output, once it has ended well."""
        return self.done(f"echo go >/tmp/{name}.go; for i in $(seq 600); do [ ! -e /tmp/{name}.status ] || break; sleep .1; done; "
                         f"cat /tmp/{name}.out; exit $(cat /tmp/{name}.status)")

    def state(self, unit):
        return self.guest(f"systemctl is-active {unit}").stdout.strip()

    def handlers(self):
        return set(self.done(f"ls {ENTRIES}").split()) - {"register", "status"}

    def assert_nothing_left(self):
        """After the purge: no handler, file, unit, process or cgroup of emud's. What users have of their own in their homes stays."""
        self.assertEqual([name for name in self.handlers() if "emud" in name], [])
        pruned = " -o ".join(f"-path {path}" for path in (PAYLOAD, "/home", "/srv", "/var/log", "/proc", "/sys"))
        files = self.done(f"find / -xdev '(' {pruned} ')' -prune -o -name '*emud*' -print; find /run /sys/fs/cgroup -path /run/systemd -prune -o "
                          "-name '*emud*' -print")
        self.assertEqual(files.split(), [])
        self.assertEqual(self.done("systemctl list-units --all --no-legend 'emud*'; systemctl list-unit-files --no-legend 'emud*'; true"), "")
        self.assertEqual(self.done("cat /proc/[0-9]*/comm 2>/dev/null | grep emu; true"), "")

    def assert_status(self, answer, status, *texts):
        """Its exit status, and what its messages say."""
        self.assertEqual(answer.status, status, answer)
        for text in texts:
            self.assertIn(text, answer.stderr, answer)


class InOrder(unittest.TestLoader):
    """Tests in the order of their definitions."""

    def getTestCaseNames(self, testCaseClass):
        names = []
        for parent in reversed(testCaseClass.__mro__):
            names += [name for name in vars(parent) if name.startswith("test") and name not in names]
        return names


def main():
    if shutil.which("qemu-system-x86_64") is None:
        skip("qemu-system-x86_64 is not installed")
    unittest.main(module="__main__", testLoader=InOrder(), verbosity=2)
