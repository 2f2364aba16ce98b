"""packaging/quickstart does the main job from a checkout that only root can reach and read, with a space in its path."""

import re
import shutil

from support import *


class Quickstart(TestCase):
    def checkout(self):
        """A copy of what quickstart uses, as `git clone` and a build with umask 077 leave it."""
        top = self.temporary_directory() / "a checkout"
        for source, names in (SOURCE_DIR, ["packaging"]), (BUILD_DIR, ["bin", "libexec"]):
            for name in names:
                shutil.copytree(source / name, (top if source == SOURCE_DIR else top / "build/release") / name)
        self.assert_status(run(["chmod", "-R", "go=", top]), 0)
        return top

    def quickstart(self, path=os.environ["PATH"]):
        self.require(shutil.which("nix-build"), "nix-build is not installed (nix-bin)")
        command = [self.checkout() / "packaging/quickstart", "--no-install", "--no-build"]
        done = run(command, env={"SUDO_USER": "alice", "PATH": path})
        self.assert_status(done, 0)
        return done

    def check(self, done, scope):
        [path] = re.findall(r"^store path: +(/nix/store/\S+)$", done.stdout, re.MULTILINE)
        self.assertEqual(pathlib.Path(path).read_text(), "aarch64\n")
        self.assertRegex(done.stdout, r"(?m)^its content, the machine's name: aarch64$")
        self.assertRegex(done.stdout, rf"(?m)^scope of the handler: +{scope}$")
        self.assertRegex(done.stdout, r"(?m)^handlers on the host after: +none$")
        self.assertRegex(done.stderr, r"(?m)^ +took [0-9.]+ s$")

    def test_private(self):
        self.check(self.quickstart(), "private")

    def test_without_private_scopes(self):
        """As on Linux before 6.7, where unshare(1) makes the namespaces and mount(8) fails in them."""
        programs = self.temporary_directory()
        (programs / "unshare").write_text("#!/bin/sh\nexit 32\n")
        (programs / "unshare").chmod(0o755)
        done = self.quickstart(f"{programs}:{os.environ['PATH']}")
        self.check(done, "host")
        self.assertIn("the host scope is used", done.stderr)
        self.assertIn("in the group emud", done.stderr)

    def test_wrong_option(self):
        done = run([SOURCE_DIR / "packaging/quickstart", "--no-such-option"])
        self.assert_status(done, 1)
        self.assertIn("hint: ", done.stderr)


if __name__ == "__main__":
    main()
