"""Two leases at once with two versions of QEMU, each seeing its own."""

import hashlib
import json
import re
import subprocess

import other_emulator
from essentials import expect_line
from support import *


class TwoVersions:
    """`options` are those that choose an engine, `installer` the user who may install emulators for it from a file."""

    options = ()
    installer = ROOT

    def test_two_versions_at_once(self):
        package = other_emulator.package()
        self.require(package, f"no second QEMU could be downloaded: {other_emulator.reason()}")
        self.require(machine_emulator("aarch64"), "this machine has no static emulator of its own for aarch64")
        digest = hashlib.sha256(package.read_bytes()).hexdigest()
        done = self.emuctl("emulator", "install", *self.options, "--file", package, "--sha256", digest, "--arch", "arm64",
                           user=self.installer)
        self.assert_status(done, 0)
        banner = run([machine_emulator("aarch64"), "--version"]).stdout
        own = re.search(r"version ([0-9.]+)", banner)[1]
        self.assert_status(self.emuctl("run", *self.options, "--emulator", own, guest("hello-arm64")), 0)
        listed = json.loads(self.emuctl("emulator", "list", *self.options, "--json").stdout)["emulators"]
        versions = sorted(one["version"] for one in listed if one["architecture"] == "aarch64")
        self.assertEqual(len(versions), 2, listed)
        self.assertIn(own, versions)
        script = (f"{guest('hello-arm64')}; $(sed -n 's/^interpreter //p' {BINFMT_MISC}/emud-aarch64) --version; "
                  "echo ready; read line; " f"{guest('hello-arm64')}")
        running = []
        for version in versions:
            running.append(self.start_emuctl("run", *self.options, "--emulator", version, "-a", "aarch64", "--", "sh", "-c", script,
                                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        for version, process in zip(versions, running):
            self.assertEqual(expect_line(process.stdout, "hello"), "hello from aarch64")
            self.assertIn(f"version {version} ", expect_line(process.stdout, "qemu-aarch64"))
            expect_line(process.stdout, "ready")
        for process in running:  # both were up at the same time, and still are
            out, _ = process.communicate("\n", SECONDS_TO_RUN)
            self.assertEqual((out, process.returncode), ("hello from aarch64\n", 0))
        short = ".".join(versions[0].split(".")[:2])
        self.assert_status(self.emuctl("run", *self.options, "--emulator", short, "-a", "arm64", "--", "true"), 0)
        missing = self.emuctl("run", *self.options, "--emulator", "1.2", "-a", "aarch64", "--", "true")
        self.assert_status(missing, 125)
        self.assertIn("1.2", missing.stderr)
