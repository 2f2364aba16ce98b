"""Emulators that the store takes for QEMU, since they run a probe program by themselves, but that do not do so under the kernel."""

import hashlib
import subprocess

from essentials import *

# Called by the kernel under the flag P, an emulator gets argv[0] of the program as well.
SOURCE = r"""
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char** argv) {
  if (argc == 2 && !strcmp(argv[1], "--version")) return puts("qemu-aarch64 version %s") < 0;
  if (argc == 2) return puts("emud probe") < 0;
  %s
}
"""
FINDINGS = {
    "1.0.1": ("raise(SIGSEGV);", "crashed with signal 11 (Segmentation fault)"),
    "1.0.2": ("raise(SIGRTMIN + 1);", "(a real-time signal)"),
    "1.0.3": ('puts("emud prob"); return 0;', 'printed "emud prob\\n" instead of its line'),
    "1.0.4": ("return 0;", "printed nothing instead of its line"),
    "1.0.5": ('puts("emud probe"); return 9;', "ended with status 9 and printed its line"),
    "1.0.6": ('puts("cannot open /probe"); return 255;', 'ended with status 255 and printed "cannot open /probe\\n"'),
    "1.0.7": ("pause(); return 0;", "did not end within the time limit"),
}
HANGS = "1.0.7"


class BadEmulators(ErrorCase):
    def install(self, version, rootless=()):
        directory = self.temporary_directory()
        directory.chmod(0o755)
        program = directory / "qemu-aarch64"
        source = SOURCE % (version, FINDINGS[version][0])
        subprocess.run(["cc", "-static", "-O1", "-x", "c", "-o", program, "-"], input=source, text=True, check=True)
        program.chmod(0o755)
        digest = hashlib.sha256(program.read_bytes()).hexdigest()
        done = self.emuctl("emulator", "install", "-a", "aarch64", "--file", program, "--sha256", digest, *rootless,
                           user=ALICE if rootless else ROOT)
        self.assert_status(done, 0)

    def check(self, version, *options, user=ALICE):
        done = self.emuctl("run", *options, "--emulator", version, "-a", "aarch64", "--", "true", user=user)
        self.assert_error(done, 125, "probe aarch64", FINDINGS[version][1], "emuctl emulator list")

    def test_private_and_host(self):
        for version in FINDINGS:
            with self.subTest(version=version):
                self.install(version)
                self.check(version)
                if version != HANGS:  # that takes ten seconds
                    self.check(version, "--scope", "host", user=CAROL)
        self.assertEqual(handlers(), [])
        self.assertEqual(self.emuctl("probe", "--emulator", "1.0.1", "aarch64").returncode, 3)
        self.assert_alive()

    def test_rootless(self):
        for version in "1.0.1", "1.0.3", "1.0.5":
            with self.subTest(version=version):
                self.install(version, ("--rootless",))
                self.check(version, "--rootless")


if __name__ == "__main__":
    main()
