"""What the integration tests share: emud and emuctl in a machine of their own, and proof that nothing is left.

A test file is `from support import *`, subclasses of TestCase, and `main()` at the end. main() starts the file again under
tests/support/hermetic, so everything in it runs as root of a throw-away machine with the users ALICE, BOB (ordinary) and CAROL
(in the group emud). A skipped test says why; with CI=true a skip is a failure.
"""

import dataclasses
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import checkout

SOURCE_DIR = pathlib.Path(os.environ.get("EMUD_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
BUILD_DIR = pathlib.Path(os.environ.get("EMUD_BUILD_DIR", SOURCE_DIR / "build/release"))
BINFMT_MISC = "/proc/sys/fs/binfmt_misc"
if "EMUD_HERMETIC" in os.environ:
    SOURCE_DIR, BUILD_DIR = checkout.show("source", SOURCE_DIR), checkout.show("build", BUILD_DIR)
BIN_DIR = BUILD_DIR / "bin"
SKIP = 77
SECONDS_TO_END = 10  # what emud and its leases are given to be gone
SECONDS_TO_RUN = 120  # what a command of a test is given


@dataclasses.dataclass(frozen=True)
class User:
    name: str
    uid: int
    groups: tuple = ()

    @property
    def home(self):
        return "/root" if self.uid == 0 else f"/run/home/{self.name}"

    def environment(self):
        return {
            "HOME": self.home,
            "USER": self.name,
            "LOGNAME": self.name,
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
            "XDG_RUNTIME_DIR": f"/run/user/{self.uid}",
        }

    def credentials(self):
        return {"user": self.uid, "group": self.uid, "extra_groups": list(self.groups)}


ROOT = User("root", 0)
ALICE = User("alice", 64001)
BOB = User("bob", 64002)
CAROL = User("carol", 64003, (64000,))


def start(arguments, user=ROOT, env=None, **options):
    """Popen as that user, in a clean environment with `env` added. No test fetches anything: the catalog is empty unless a
    test names one."""
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("cwd", user.home)
    environment = user.environment() | {"EMUD_DATA": "/nonexistent"} | (env or {})
    return subprocess.Popen([str(word) for word in arguments], env=environment, **user.credentials(), **options)


def run(arguments, user=ROOT, env=None, input=None, timeout=SECONDS_TO_RUN, **options):
    """Runs a program to its end: CompletedProcess with text of stdout and stderr. A program that does not end is killed."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    if input is not None:
        options["stdin"] = subprocess.PIPE
    with start(arguments, user, env, **options) as process:
        try:
            out, err = process.communicate(input, timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"{arguments} did not end in {timeout} s\nstdout: {out}\nstderr: {err}") from None
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def guest(name):
    """A static aarch64 program of tests/support/guest."""
    return BUILD_DIR / "guest" / name


def machine_emulator(architecture):
    """The path of the machine's own static emulator, or None."""
    for path in (f"/usr/bin/qemu-{architecture}-static", f"/usr/bin/qemu-{architecture}"):
        if os.path.exists(path):
            return path
    return None


def handlers():
    """The names of the entries in this machine's binfmt_misc."""
    return sorted(set(os.listdir(BINFMT_MISC)) - {"register", "status"})


def mounts():
    """The mount points of this mount namespace."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return sorted(line.split()[4] for line in file)


def cgroups():
    """The cgroups of this machine, below its root."""
    root = os.environ.get("EMUD_TEST_CGROUP")
    if not root:
        return []
    return sorted(os.path.relpath(path, root) for path, _, _ in os.walk(root) if path != root)


def temporaries():
    return sorted(os.listdir(os.environ["TMPDIR"]))


def processes():
    """pid -> command line of every process of this machine but its init; dead ones that init has yet to reap do not count."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or entry == "1":
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8") as file:
                state = file.read().rpartition(")")[2].split()[0]
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                line = file.read().replace(b"\0", b" ").decode(errors="replace").strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state not in "ZX":
            found[int(entry)] = line
    return found


def processes_left(before, seconds=SECONDS_TO_END):
    """What of processes() was not in `before` and does not end within that time."""
    deadline = time.monotonic() + seconds
    while True:
        left = {pid: line for pid, line in processes().items() if pid not in before}
        if not left or time.monotonic() >= deadline:
            return left
        for pid in left:
            try:
                descriptor = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            try:
                select.select([descriptor], [], [], max(0, deadline - time.monotonic()))
            finally:
                os.close(descriptor)


def a_second():
    """A second of this machine's time: on one that is busy with other things, as much longer as those take."""
    return max(1.0, os.getloadavg()[0] / len(os.sched_getaffinity(0)))


class Emud:
    """One emud with directories of its own. `with Emud(...) as emud:` or start() and stop()."""

    def __init__(self, *options, **started):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="emud-"))
        self.directory.chmod(0o755)
        self.socket = self.directory / "socket"
        self.state = self.directory / "state"
        self.runtime = self.directory / "runtime"
        self.log = self.directory / "log"
        self.options, self.started = options, started  # env, preexec_fn, ...
        self.process = None

    def start(self, **options):
        """Returns once emud listens. The options are Popen's."""
        ready, ready_emud = os.pipe()
        with open(self.log, "ab") as log, open(ready, "rb") as answer:
            self.process = start(
                [BIN_DIR / "emud", "--socket", self.socket, "--state-dir", self.state, "--runtime-dir", self.runtime,
                 "--ready-fd", ready_emud, *self.options],
                stdout=log, stderr=log, pass_fds=[ready_emud], **self.started | options)
            os.close(ready_emud)
            said = answer.read()
        if said != b"ready\n":
            self.process.kill()
            raise AssertionError(f"emud did not start: exit status {self.process.wait()}\n{self.text()}")
        return self

    @property
    def pid(self):
        return self.process.pid

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait(SECONDS_TO_END)

    def stop(self):
        """Asks it to end; its exit status."""
        return self.end(signal.SIGTERM)

    def kill(self):
        return self.end(signal.SIGKILL)

    def text(self):
        return self.log.read_text(errors="replace")

    def environment(self):
        return {"EMUD_SOCKET": str(self.socket)}

    def leases(self):
        """The files of leases in the runtime directory."""
        directory = self.runtime / "leases"
        return sorted(entry.name for entry in directory.iterdir()) if directory.exists() else []

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.stop()
        if self.directory.exists():
            shutil.rmtree(self.directory)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()


class TestCase(unittest.TestCase):
    """Each test ends with a check that it left nothing: processes, mounts, handlers, cgroups, temporary files."""

    maxDiff = None

    def setUp(self):
        self.emuds = []
        self.before = {
            "mounts": mounts(),
            "handlers": handlers(),
            "cgroups": cgroups(),
            "temporary files": temporaries(),
        }
        self.processes_before = processes()
        self.addCleanup(self.check_nothing_left)

    def check_nothing_left(self):
        self.assertEqual(processes_left(self.processes_before), {}, "processes are left")
        after = {
            "mounts": mounts(),
            "handlers": handlers(),
            "cgroups": cgroups(),
            "temporary files": temporaries(),
        }
        for what, value in self.before.items():
            self.assertEqual(after[what], value, f"{what} are left")

    def start_emud(self, *options, **started):
        """An emud that ends with the test. It has to exit with 0 when asked to, with no lease left."""
        emud = Emud(*options, **started)
        self.emuds.append(emud)
        self.addCleanup(self.end_emud, emud)
        return emud.start()

    def end_emud(self, emud):
        try:
            if emud.process is not None and emud.process.poll() is None:
                self.assertEqual(emud.stop(), 0, "exit status of emud")
                self.assertEqual(emud.leases(), [], "leases are left")
        finally:
            emud.close()

    def temporary_directory(self, user=ROOT):
        """A directory of that user's that ends with the test."""
        path = pathlib.Path(tempfile.mkdtemp(prefix="test-"))
        os.chown(path, user.uid, user.uid)
        self.addCleanup(self.remove, path)
        return path

    def remove(self, path):
        self.assertNotIn(str(path), mounts(), "what is mounted there would be removed")
        shutil.rmtree(path)

    def emuctl(self, *arguments, user=ALICE, emud=None, env=None, **options):
        """emuctl to its end, as that user, with that emud or the first one of the test."""
        return run([BIN_DIR / "emuctl", *arguments], user, self.emuctl_environment(emud) | (env or {}), **options)

    def start_emuctl(self, *arguments, user=ALICE, emud=None, env=None, **options):
        return start([BIN_DIR / "emuctl", *arguments], user, self.emuctl_environment(emud) | (env or {}), **options)

    def emuctl_environment(self, emud):
        emud = emud or (self.emuds[0] if self.emuds else None)
        return emud.environment() if emud else {}

    def assert_status(self, completed, status):
        self.assertEqual(
            completed.returncode, status,
            f"exit status of {completed.args}\nstdout: {completed.stdout}\nstderr: {completed.stderr}")

    def require(self, condition, reason):
        if not condition:
            self.skipTest(reason)


class _Result(unittest.TextTestResult):
    """Shows emud's log with a failure, and skips in the form that tests/run collects."""

    def _show_logs(self, test):
        for emud in getattr(test, "emuds", []):
            if emud.log.exists():
                self.stream.writeln(f"---- log of emud, {test.id()}\n{emud.text()}----")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._show_logs(test)

    def addError(self, test, err):
        super().addError(test, err)
        self._show_logs(test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.stream.writeln(f"SKIPPED: {test.id()}: {reason}")


def main():
    """Runs the tests of the calling file on a machine of its own. Exits with 77 if all were skipped."""
    if "EMUD_HERMETIC" not in os.environ:
        os.execv(SOURCE_DIR / "tests/support/hermetic",
                 ["hermetic", sys.executable, os.path.abspath(sys.argv[0]), *sys.argv[1:]])
    os.umask(0o022)
    runner = unittest.TextTestRunner(resultclass=_Result, verbosity=2)
    result = unittest.main(testRunner=runner, exit=False).result
    skips = len(result.skipped)
    if not result.wasSuccessful() or result.testsRun == 0:
        sys.exit(1)
    if skips and os.environ.get("CI") == "true":
        print("a skipped test is a failure here: CI=true", file=sys.stderr)
        sys.exit(1)
    sys.exit(SKIP if skips == result.testsRun else 0)
