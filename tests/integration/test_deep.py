"""`emuctl probe`, and its deep check: what works, what is broken and what is missing, each told apart."""

import hashlib
import re

import other_emulator
from essentials import *

DEEP = BUILD_DIR / "libexec/emud/deep"
# What QEMU does not do, and builds do without.
KNOWN_TO_BE_MISSING = {"brk-pie", "spawn-error", "self-exe", "robust-mutex"}


def chosen(*names):
    """The options for these checks alone."""
    return [word for name in names for word in ("--check", name)]


class DeepCase(TestCase):
    def deep(self, *words, architecture="aarch64", status=0, **options):
        """The checks of one architecture by name."""
        done = self.emuctl("probe", "--deep", "--json", *words, architecture, **options)
        [probe] = json.loads(done.stdout)["probes"]
        self.assertTrue(probe["ready"], probe)
        is_broken = any(one["result"] == "broken" for one in probe["checks"])
        self.assert_status(done, 3 if is_broken else status)
        return {one["check"]: one for one in probe["checks"]}

    def assert_sound(self, checks):
        broken = {name: one["detail"] for name, one in checks.items() if one["result"] == "broken"}
        self.assertEqual(broken, {})
        missing = {name for name, one in checks.items() if one["result"] == "not_supported"}
        self.assertLessEqual(missing, KNOWN_TO_BE_MISSING)
        for name in missing:
            self.assertTrue(checks[name]["detail"], name)
        # How far the heap of a static position-independent program grows is QEMU's choice and chance.
        if "brk-pie" in missing:
            self.assertRegex(checks["brk-pie"]["detail"], r"^brk grew by \d+ of 64 MiB; malloc goes on without it$")

    def libexec(self, **programs):
        """A folder of helper programs with deep check programs of the test's own."""
        directory = self.temporary_directory()
        directory.chmod(0o755)
        (directory / "emud-fetcher").symlink_to(BUILD_DIR / "libexec/emud/emud-fetcher")
        (directory / "deep/aarch64").mkdir(parents=True)
        for name, target in programs.items():
            (directory / "deep/aarch64" / name).symlink_to(target)
        return {"EMUD_LIBEXEC": str(directory)}


class Sound(DeepCase):
    def test_the_checks_pass_on_this_machine_itself(self):
        # The oracle: what a real kernel and processor do not pass is no check.
        self.require((DEEP / "x86_64/pie").exists(), "this machine's compiler makes no static-pie programs for x86_64")
        if os.uname().machine != "x86_64":
            self.skipTest("this machine is no x86_64")
        checks = self.deep("--rootless", architecture="x86_64")
        self.assertEqual({one["result"] for one in checks.values()}, {"ok"}, checks)
        # The programs and emuctl know the same checks.
        names = run([DEEP / "x86_64/static"]).stdout.split()
        self.assertEqual(sorted({name.removesuffix("-pie") for name in checks}), sorted(names))

    def test_rootless(self):
        self.assert_sound(self.deep("--rootless", *chosen("brk", "brk-pie", "fork", "exec-self", "job-control", "sockets", "pipes")))

    def test_through_emud_as_the_caller(self):
        self.start_emud()
        self.assert_sound(self.deep())
        text = self.emuctl("probe", "--deep", *chosen("brk", "robust-mutex", "clock"), "arm64")
        self.assertRegex(text.stdout, r"(?m)^aarch64: ready \(private scope\)$")
        self.assertRegex(text.stdout, r"(?m)^  ok +brk ")
        self.assertRegex(text.stdout, r"(?m)^  not supported +robust-mutex ")
        self.assertIn("3 checks: 2 ok, 0 broken, 1 not supported", text.stdout)

    def test_a_check_that_does_not_exist(self):
        done = self.emuctl("probe", "--deep", "--rootless", *chosen("brk", "luck"), "arm64")
        self.assert_status(done, 2)
        self.assertIn("luck", done.stderr)

    def test_another_version(self):
        self.require(other_emulator.package(), f"no second QEMU could be downloaded: {other_emulator.reason()}")
        self.start_emud()
        [emulator] = [file for file in other_emulator.binaries() if "-aarch64" in file.name]
        digest = hashlib.sha256(emulator.read_bytes()).hexdigest()
        done = self.emuctl("emulator", "install", "--file", emulator, "--sha256", digest, user=ROOT)
        self.assert_status(done, 0)
        listed = json.loads(self.emuctl("emulator", "list", "--json").stdout)["emulators"]
        version = next(one["version"] for one in listed if one["architecture"] == "aarch64")
        self.assert_sound(self.deep("--emulator", version))
        self.assertEqual(self.emuctl("probe", "--deep", "--emulator", "1.2", "arm64").returncode, 3)


class Faults(DeepCase):
    def test_brk_that_does_not_grow(self):
        # Neither brk nor mmap gives more: by a limit that leaves the emulator itself just enough memory.
        program = DEEP / "aarch64/pie"

        def limited(mebibytes):
            return lambda: resource.setrlimit(resource.RLIMIT_DATA, (mebibytes << 20, mebibytes << 20))

        too_little, enough = 0, 8192
        while enough - too_little > 2:
            middle = (enough + too_little) // 2
            done = self.emuctl("run", "--rootless", "-a", "arm64", "--", program, "clock", program, preexec_fn=limited(middle))
            too_little, enough = (too_little, middle) if done.returncode == 0 else (middle, enough)
        checks = self.deep("--rootless", *chosen("brk-pie", "clock"), status=3, preexec_fn=limited(enough + 4))
        self.assertEqual(checks["brk-pie"]["result"], "broken")
        self.assertRegex(checks["brk-pie"]["detail"], r"^brk grew by only \d MiB, and malloc gave only \d MiB$")
        self.assertEqual(checks["clock"]["result"], "ok")

    def test_hang_crash_and_noise(self):
        self.start_emud()
        libexec = self.libexec(static=guest("deep-faults"), pie=guest("deep-faults"))
        for words in (), ("--rootless",):
            with self.subTest(words=words):
                checks = self.deep("--time-limit", "2", *chosen("brk", "stack", "fork", "clock"), *words, status=3, env=libexec)
                broken = {name: one["detail"] for name, one in checks.items() if one["result"] == "broken"}
                self.assertEqual(sorted(broken), ["clock", "fork", "stack"])
                self.assertEqual(broken["stack"], "it did not end in 2 s")
                self.assertIn("SIGILL", broken["fork"])
                self.assertIn("noise", broken["clock"])
                self.assertEqual(checks["brk"]["result"], "ok")

    def test_programs_that_were_not_built(self):
        done = self.emuctl("probe", "--deep", "--rootless", "arm64", env=self.libexec())
        self.assert_status(done, 1)
        self.assertIn("built without a C compiler for aarch64", done.stdout)
        self.assertIn("Install a cross compiler for aarch64", done.stdout)
        half = self.deep("--rootless", *chosen("brk", "brk-pie"), env=self.libexec(static=guest("deep-faults")))
        self.assertEqual(half["brk"]["result"], "ok")
        self.assertEqual(half["brk-pie"]["result"], "not_supported")
        self.assertIn("pie programs", half["brk-pie"]["detail"])

    def test_interrupted(self):
        self.start_emud()
        libexec = self.libexec(static=guest("deep-faults"), pie=guest("deep-faults"))
        for words in (), ("--rootless",):
            process = self.start_emuctl("probe", "--deep", "-v", *words, "arm64", env=libexec,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            expect_line(process.stderr, "emuctl: aarch64 generated-code: ok")  # then comes the one that hangs
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=SECONDS_TO_RUN)
            self.assertEqual((process.returncode, out), (1, ""), err)
            self.assertIn("emuctl got signal 2", err)


    def test_killed(self):
        """What a check that was running had in TMPDIR goes with the next."""
        folder = pathlib.Path(os.environ["TMPDIR"])
        libexec = self.libexec(static=guest("deep-faults"), pie=guest("deep-faults"))
        with self.start_emuctl("probe", "--deep", "-v", "--rootless", "arm64", env=libexec, stderr=subprocess.PIPE, text=True) as process:
            expect_line(process.stderr, "emuctl: aarch64 generated-code: ok")  # then comes the one that hangs
            deadline = time.monotonic() + SECONDS_TO_END
            while not any(folder.glob("emuctl-deep-*")):
                self.assertLess(time.monotonic(), deadline)
            process.kill()
        self.assertEqual(processes_left(self.processes_before), {})
        self.assertEqual(len(list(folder.glob("emuctl-deep-*"))), 1)
        self.deep("--rootless", *chosen("brk"))
        self.assertEqual(list(folder.glob("emuctl-deep-*")), [])


class Probes(TestCase):
    def test_without_arguments_all_in_the_store(self):
        self.start_emud()
        none = self.emuctl("probe")
        self.assert_status(none, 3)
        self.assertIn("no emulator is installed", none.stderr)
        for name in "arm64", "riscv64":
            self.assert_status(self.emuctl("run", "-a", name, "--", "true"), 0)
        done = self.emuctl("probe", "--json")
        self.assert_status(done, 0)
        probes = json.loads(done.stdout)["probes"]
        self.assertEqual([(one["architecture"], one["ready"]) for one in probes], [("aarch64", True), ("riscv64", True)])

    def test_an_architecture_that_is_not_ready_spoils_the_status_alone(self):
        self.start_emud()
        done = self.emuctl("probe", "--emulator", "1.2", "--json", "arm64", "x86_64")
        self.assert_status(done, 3)
        foreign, native = json.loads(done.stdout)["probes"]
        self.assertFalse(foreign["ready"])
        self.assertRegex(foreign["error"]["message"], r"1\.2")
        if os.uname().machine == "x86_64":
            self.assertTrue(native["ready"] and native["native"])


if __name__ == "__main__":
    if "EMUD_HERMETIC" not in os.environ:
        other_emulator.fetch()
    main()
