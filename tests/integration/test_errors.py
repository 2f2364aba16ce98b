"""Bad input of every kind: a clear error that says what to do next, the right exit status, and emud goes on."""

import hashlib

from essentials import *
from wire_client import *

OVERLAY = "lowerdir=/usr/bin,upperdir={0}/upper,workdir={0}/work,userxattr"
MNT_DETACH, MS_REMOUNT, MS_BIND, MS_RDONLY = 2, 32, 4096, 1
FOREIGN_MAGIC = "emud-test-magic"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Requests(ErrorCase):
    def test_unknown_architecture(self):
        for words in (("run", "-a", "arn64", "--", "true"), ("run", "--rootless", "-a", "arn64", "--", "true")):
            self.assert_error(self.emuctl(*words), 125, "arn64", "arm64")
        done = self.emuctl("probe", "arn64")
        self.assertIn(done.returncode, (1, 2, 3))
        self.assertIn("arm64", done.stderr + done.stdout)
        for words in (("lease", "riscv46"), ("register", "riscv46")):
            done = self.emuctl(*words, user=CAROL)
            self.assert_error(done, 2, "riscv46", "riscv64")
        with self.assertRaises(WireError) as raised, Wire(self.emud.socket) as wire:
            wire.call("Acquire", {"architectures": ["arn64"]})
        self.assertEqual(raised.exception.name, "UnknownArchitecture")

    def test_unknown_architectures_of_another_kind(self):
        for name in ("", "../../etc/passwd", "a" * 5000, "aarch64\nx", ":", "linux/"):
            with self.subTest(name=name[:20]):
                done = self.emuctl("run", "-a", name, "--", "true")
                self.assert_status(done, 125)
                self.assertLess(len(done.stderr), 20_000)
        self.assert_alive()

    def test_wrong_usage(self):
        for words, status in ((("run",), 125), (("run", "--no-such-option", "true"), 125), (("no-such-verb",), 2), ((), 2),
                              (("emulator", "install"), 2), (("lease",), 2), (("run", "--scope", "moon", "true"), 125)):
            with self.subTest(words=words):
                done = self.emuctl(*words)
                self.assert_status(done, status)
                self.assertTrue(done.stderr)

    def test_option_of_the_command_in_the_wrong_place(self):
        for words in (("build", "-A", "image"), ("build", "-a", "arm64", "--dry-run", "x.nix"), ("run", "--login", "sh")):
            self.assert_error(self.emuctl(*words), 125, "not expected", "behind `--`")
        self.assertNotIn("behind", self.emuctl("status", "--no-such-option").stderr)

    def test_mistyped_word_is_named(self):
        for words in (("emulator", "lst"), ("lease", "--no-such-option"), ("emulator", "--jsn")):
            self.assert_error(self.emuctl(*words), 2, words[1])

    def test_missing_emulator(self):
        self.require(machine_emulator("sh4"), "this machine has no emulator for sh4 to be hidden")
        self.hide("qemu-sh4-static", "qemu-sh4")
        for words in ((), ("--rootless",)):
            done = self.emuctl("run", *words, "-a", "sh4", "--", "true")
            self.assert_error(done, 125, "sh4", "emuctl emulator install")
        done = self.emuctl("lease", "sh4", user=CAROL)
        self.assert_error(done, 1, "sh4", "emuctl emulator install")
        self.assertEqual(handlers(), [])
        self.assertEqual(self.emuctl("probe", "sh4").returncode, 3)

    def hide(self, *names):
        """Takes programs out of /usr/bin, for this test."""
        directory = self.temporary_directory()
        for part in "upper", "work":
            (directory / part).mkdir()
        data = OVERLAY.format(directory).encode()
        self.assertEqual(libc.mount(b"overlay", b"/usr/bin", b"overlay", 0, data), 0, os.strerror(ctypes.get_errno()))
        self.addCleanup(lambda: self.assertEqual(libc.umount2(b"/usr/bin", MNT_DETACH), 0))
        for name in names:
            pathlib.Path("/usr/bin", name).unlink(missing_ok=True)

    def test_working_directory_that_may_not_be_searched(self):
        directory = self.temporary_directory(ALICE)
        directory.chmod(0)
        for words in ((), ("--rootless",)):
            done = self.emuctl("run", *words, "-a", "aarch64", "--", "true", cwd=directory)
            self.assert_error(done, 125, "working directory", "Permission denied")

    def test_working_directory_of_somebody_else_is_refused_by_emud_too(self):
        directory = self.temporary_directory(BOB)
        directory.chmod(0o700)
        fd = os.open(directory, os.O_PATH | os.O_DIRECTORY)
        null = os.open("/dev/null", os.O_RDWR)
        try:
            parameters = run_parameters(arguments=["ls"])
            with self.assertRaises(WireError) as raised:
                as_user(ALICE, start_and_wait, self.emud.socket, parameters, [null, fd])
        finally:
            os.close(fd)
            os.close(null)
        self.assertIn("working directory", raised.exception.parameters["object"])

    def test_truncated_program(self):
        whole = guest("hello-arm64").read_bytes()
        directory = self.temporary_directory(ALICE)
        for size in (0, 4, 19, 63, 120, 5000):
            for words in ((), ("--rootless",)):
                with self.subTest(size=size, words=words):
                    program = directory / f"program-{size}"
                    program.write_bytes(whole[:size])
                    program.chmod(0o755)
                    done = self.emuctl("run", *words, "-a", "aarch64", "--", program)
                    self.assertNotEqual(done.returncode, 0)
                    self.assertNotIn("hello", done.stdout)
                    self.assert_error(done, 126, str(program), ENOEXEC_TEXT)
        self.assert_alive()


class Emulators(ErrorCase):
    """What must not get into the store, by either way to it."""

    def install(self, path, digest, *words, rootless=False):
        extra = ("--rootless",) if rootless else ()
        user = ALICE if rootless else ROOT
        return self.emuctl("emulator", "install", "--file", path, "--sha256", digest, *extra, *words, user=user)

    def check(self, name, data, words, status=1, digest=None, architecture=("-a", "aarch64")):
        path = self.temporary_directory() / name
        path.parent.chmod(0o755)
        path.write_bytes(data)
        for rootless in False, True:
            with self.subTest(name=name, rootless=rootless):
                done = self.install(path, digest or sha256(data), *architecture, rootless=rootless)
                self.assert_error(done, status, *words)
        self.assertEqual(status_of_emulators(self.emud), [])
        self.assertEqual(list((self.emud.state).rglob("qemu-*")), [])

    def qemu(self):
        path = machine_emulator("aarch64")
        self.require(path, "this machine has no emulator for aarch64")
        return pathlib.Path(path).read_bytes()

    def test_wrong_digest(self):
        data = self.qemu()
        self.check("qemu-aarch64-static", data, ["0" * 64, sha256(data)], digest="0" * 64)

    def test_digest_that_is_none(self):
        for digest in ("", "abc", "g" * 64, "0" * 63, "0" * 65):
            done = self.install(machine_emulator("aarch64"), digest)
            self.assertIn(done.returncode, (1, 2))
            self.assertTrue(done.stderr)

    def test_dynamic_program(self):
        with open(PYTHON, "rb") as file:
            self.check("qemu-aarch64", file.read(), ["static"])

    def test_truncated_emulator(self):
        data = self.qemu()
        for size in (20, 64, 4096, len(data) // 2):
            self.check("qemu-aarch64", data[:size], ["qemu-aarch64"])

    def test_files_that_are_no_emulator(self):
        self.check("empty", b"", ["empty"])
        self.check("text", b"#!/bin/sh\necho qemu-aarch64 version 9.9\n", ["text"])
        self.check("hello", guest("hello-arm64").read_bytes(), ["hello"])

    def test_emulator_of_another_architecture(self):
        path = machine_emulator("arm")
        self.require(path, "this machine has no emulator for arm")
        self.check("qemu-aarch64", pathlib.Path(path).read_bytes(), ["arm", "aarch64"])

    def test_broken_package(self):
        self.check("broken.deb", b"!<arch>\ndebian-binary   0           0     0     100644  4         `\n2.0\n", ["broken.deb"])
        self.check("noise.deb", b"!<arch>\n" + bytes(range(256)) * 64, ["noise.deb"])

    def test_things_that_are_no_file(self):
        directory = self.temporary_directory()
        directory.chmod(0o755)
        os.mkfifo(directory / "fifo")
        for path in (directory, directory / "fifo", directory / "missing", "/dev/null", "/dev/zero"):
            with self.subTest(path=path):
                done = self.install(path, "0" * 64, "-a", "aarch64")
                self.assertIn(done.returncode, (1, 2))
                self.assertTrue(done.stderr.startswith("emuctl: "), done.stderr)
        self.assert_alive()

    def test_only_root_installs(self):
        for user in ALICE, CAROL:
            done = self.emuctl("emulator", "install", "--file", machine_emulator("aarch64"), "--sha256", "0" * 64, user=user)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, "root|group")


def status_of_emulators(emud):
    return status(emud)["emulators"]


class Kernel(ErrorCase):
    """binfmt_misc in a state that emud did not make."""

    def test_read_only(self):
        self.remount(MS_RDONLY)
        try:
            for words in (("register", "arm64"), ("lease", "arm64")):
                self.assert_error(self.emuctl(*words, user=CAROL), 1, "read-only", "remount")
            done = self.emuctl("run", "--scope", "host", guest("hello-arm64"), user=CAROL)
            self.assert_error(done, 125, "read-only")
            self.assert_status(self.emuctl("run", guest("hello-arm64")), 0)  # a private one is not concerned
        finally:
            self.remount(0)
        self.assert_status(self.emuctl("register", "arm64", user=CAROL), 0)
        self.assert_status(self.emuctl("unregister", "arm64", user=CAROL), 0)

    def remount(self, flags):
        result = libc.mount(b"none", BINFMT_MISC.encode(), None, MS_REMOUNT | MS_BIND | flags, None)
        self.assertEqual(result, 0, os.strerror(ctypes.get_errno()))

    def test_foreign_entry_of_our_name(self):
        before = register_by_hand("emud-aarch64", FOREIGN_MAGIC)
        self.addCleanup(unregister_by_hand, "emud-aarch64")
        for words in (("register", "arm64"), ("lease", "arm64")):
            self.assert_error(self.emuctl(*words, user=CAROL), 1, "emud-aarch64", "File exists")
            self.assertEqual(entry("emud-aarch64"), before)
        self.assert_status(self.emuctl("unregister", "--all", user=CAROL), 0)
        self.assert_status(self.emuctl("run", guest("hello-arm64")), 0)
        self.emud.stop()
        self.emud.start()
        self.assertEqual(entry("emud-aarch64"), before)

    def test_entry_that_somebody_removed(self):
        self.assert_status(self.emuctl("register", "arm64", user=CAROL), 0)
        unregister_by_hand("emud-aarch64")
        done = self.emuctl("run", "--scope", "host", guest("hello-arm64"), user=CAROL)
        self.assertEqual(done.stdout, "hello from aarch64\n", done.stderr)
        unregister_by_hand("emud-aarch64")
        self.assert_status(self.emuctl("unregister", "arm64", user=CAROL), 0)

    def test_entry_that_somebody_disabled(self):
        self.assert_status(self.emuctl("register", "arm64", user=CAROL), 0)
        switch("emud-aarch64", "0")
        done = self.emuctl("run", "--scope", "host", guest("hello-arm64"), user=CAROL)
        self.assertEqual(done.stdout, "hello from aarch64\n", "it is switched on again")
        self.assert_status(self.emuctl("unregister", "arm64", user=CAROL), 0)
        self.assertEqual(handlers(), [])

    def test_handlers_switched_off_as_a_whole(self):
        switch("status", "0")
        try:
            done = self.emuctl("register", "arm64", user=CAROL)
            private = self.emuctl("run", guest("hello-arm64"))
        finally:
            switch("status", "1")
        self.assert_error(done, 1, "aarch64", "switched off")
        self.assertEqual(handlers(), [])
        self.assertEqual(private.stdout, "hello from aarch64\n")


def switch(name, value):
    with open(f"{BINFMT_MISC}/{name}", "w", encoding="utf-8") as file:
        file.write(value)


if __name__ == "__main__":
    main()
