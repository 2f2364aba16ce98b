"""What a command under a lease must find, however the lease is reached (test_run.py goes through emud, test_rootless.py does
without), and what the tests of handlers and errors share."""

import ctypes
import errno
import json
import os
import resource
import signal
import struct
import subprocess

from support import *

REPORT = SOURCE_DIR / "tests/support/report"
PYTHON = "/usr/bin/python3"  # one that every user may run, wherever the tests' own is
ENOEXEC_TEXT = "Exec format error"
IN_MODIFY, IN_CREATE, IN_DELETE = 0x2, 0x100, 0x200
PR_SET_NO_NEW_PRIVS = 38

libc = ctypes.CDLL(None, use_errno=True)


class HostWatch:
    """Sees each entry that comes to or goes from this machine's binfmt_misc, however short it lives."""

    def __init__(self):
        self.fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0 or libc.inotify_add_watch(self.fd, BINFMT_MISC.encode(), IN_MODIFY | IN_CREATE | IN_DELETE) < 0:
            raise OSError(ctypes.get_errno(), "inotify")

    def has_seen(self):
        try:
            return bool(os.read(self.fd, 65536))
        except BlockingIOError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)


# What an aarch64 program of ELFOSABI_NONE begins with.
AARCH64_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"


def register_by_hand(name, magic, interpreter="/bin/true", flags="", mask=""):
    """An entry that is not emud's, in this machine's binfmt_misc: its text."""
    with open(f"{BINFMT_MISC}/register", "w", encoding="utf-8") as file:
        file.write(f":{name}:M::{magic}:{mask}:{interpreter}:{flags}")
    return entry(name)


def entry(name):
    with open(f"{BINFMT_MISC}/{name}", encoding="utf-8") as file:
        return file.read()


def unregister_by_hand(name):
    with open(f"{BINFMT_MISC}/{name}", "w", encoding="utf-8") as file:
        file.write("-1")


def expect_line(stream, wanted):
    """Reads lines up to one that begins with that; returns it without the newline."""
    seen = []
    for line in stream:
        seen.append(line)
        if line.startswith(wanted):
            return line.rstrip("\n")
    raise AssertionError(f"no line {wanted!r} in {seen}")


def no_new_privileges():
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


class ErrorCase(TestCase):
    def setUp(self):
        super().setUp()
        self.emud = self.start_emud()

    def assert_error(self, completed, status, *words):
        """One message on stderr with all those words and a hint, nothing on stdout."""
        self.assert_status(completed, status)
        self.assertTrue(completed.stderr.startswith("emuctl: "), completed.stderr)
        self.assertEqual(completed.stdout, "")
        for word in words:
            self.assertIn(word, completed.stderr)
        self.assertRegex(completed.stderr, r"\n  \S", "there is no hint")

    def assert_alive(self):
        self.assertIsNone(self.emud.process.poll(), "emud has ended")
        self.assert_status(self.emuctl("status"), 0)


class HolderCase(TestCase):
    """Host leases held by `emuctl lease` until they are released."""

    def hold(self, *architectures, user=CAROL):
        process = self.start_emuctl("lease", *architectures, user=user, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "ready\n", process.stderr)
        return process

    def release(self, process):
        _, err = process.communicate("", SECONDS_TO_RUN)
        self.assertEqual(process.returncode, 0, err)


class Essentials:
    """Tests of both engines. `options` are those of `emuctl run` that choose one."""

    options = ()

    def emuctl_run(self, *words, architecture="aarch64", **options):
        return self.emuctl("run", *self.options, "-a", architecture, "--", *words, **options)

    def start_run(self, *words, architecture="aarch64", **options):
        return self.start_emuctl("run", *self.options, "-a", architecture, "--", *words, **options)

    def reports(self, *words, user=ALICE, through=(), env=None, **options):
        """What a program finds that the user runs himself, and what it finds under a lease."""
        command = [str(word) for word in through] + ["{}", PYTHON, "-I", str(REPORT), *words]
        at = command.index("{}")
        environment = self.emuctl_environment(None) | (env or {})
        direct = run(command[:at] + command[at + 1:], user, environment, **options)
        lease = [str(BIN_DIR / "emuctl"), "run", *self.options, "-a", "aarch64", "--"]
        leased = run(command[:at] + lease + command[at + 1:], user, environment, **options)
        self.assert_status(direct, 0)
        self.assert_status(leased, 0)
        self.assertEqual(leased.stderr, "")
        return json.loads(direct.stdout), json.loads(leased.stdout)

    def expected(self, direct):
        """What the report under a lease says, given the user's own."""
        return direct

    def assert_same(self, *words, **options):
        direct, leased = self.reports(*words, **options)
        self.assertEqual(leased, self.expected(direct))
        return leased

    def test_foreign_program_runs_and_the_host_sees_nothing(self):
        with HostWatch() as host:
            with self.start_run("sh", "-c", f"{guest('hello-arm64')}; echo ready; read line", stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True) as process:
                self.assertEqual(expect_line(process.stdout, "hello"), "hello from aarch64")
                expect_line(process.stdout, "ready")
                self.assertEqual(handlers(), [])
                for user in ALICE, ROOT:
                    with self.assertRaisesRegex(OSError, ENOEXEC_TEXT):
                        run([guest("hello-arm64")], user)
                process.stdin.close()
                self.assertEqual(process.wait(SECONDS_TO_RUN), 1)  # `read` at the end of its input
            self.assertFalse(host.has_seen(), "an entry came to the host's binfmt_misc")

    def test_architecture_is_that_of_the_program_if_none_is_named(self):
        done = self.emuctl("run", *self.options, guest("hello-arm64"))
        self.assert_status(done, 0)
        self.assertEqual((done.stdout, done.stderr), ("hello from aarch64\n", ""))

    def test_foreign_program_has_its_callers_identity(self):
        done = self.emuctl_run(guest("identity"), "a word", "", umask=0o027)
        self.assert_status(done, 0)
        lines = done.stdout.splitlines()
        self.assertIn(f"uid {ALICE.uid} {ALICE.uid}", lines)
        self.assertIn("umask 027", lines)
        self.assertIn(f"cwd {ALICE.home}", lines)
        self.assertEqual([line for line in lines if line.startswith("argument")],
                         [f"argument {guest('identity')}", "argument a word", "argument "])

    def test_identity_is_the_callers(self):
        crowd = User("alice", ALICE.uid, (4, 27, 64000, *range(5000, 5040)))
        report = self.assert_same(user=crowd, umask=0o037)
        for capabilities in "CapEff", "CapPrm", "CapInh", "CapAmb":
            self.assertEqual(int(report["status"][capabilities], 16), 0, capabilities)

    def test_supplementary_groups_open_files(self):
        secret = self.temporary_directory() / "secret"
        secret.parent.chmod(0o755)
        secret.write_text("for the group\n")
        os.chown(secret, 0, 5007)
        secret.chmod(0o640)
        done = self.emuctl_run("cat", secret, user=User("alice", ALICE.uid, (5006, 5007)))
        self.assertEqual(done.stdout, "for the group\n")
        self.assert_status(self.emuctl_run("cat", secret), 1)

    def test_limits_priority_and_processors_are_the_callers(self):
        def restrict():
            resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_STACK, (4 << 20, 64 << 20))
            resource.setrlimit(resource.RLIMIT_CPU, (1000, 2000))
            os.nice(5)
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

        report = self.assert_same(preexec_fn=restrict)
        self.assertEqual(report["nice"], os.nice(0) + 5)
        self.assertEqual(report["limits"]["RLIMIT_NOFILE"], [100, 200])

    def test_scheduling_and_personality_are_the_callers(self):
        """What nice(1)'s relatives set: chrt, ionice, setarch; and what a desktop sets for its programs."""
        look = """import ctypes, os; libc = ctypes.CDLL(None)
print(os.sched_getscheduler(0), libc.syscall(252, 1, 0) >> 13, open("/proc/self/personality").read().strip(),
      open("/proc/self/oom_score_adj").read().strip())"""
        adjustment = max(300, int(pathlib.Path("/proc/self/oom_score_adj").read_text(encoding="ascii")))  # it can only be raised
        considerate = f"echo {adjustment} > /proc/self/oom_score_adj; exec chrt $0 0 ionice -c 3 setarch -R \"$@\""
        for option, policy in ("--batch", os.SCHED_BATCH), ("--idle", os.SCHED_IDLE):
            with self.subTest(policy=option):
                done = run(["sh", "-c", considerate, option, BIN_DIR / "emuctl", "run", *self.options, "-a", "aarch64", "--",
                            PYTHON, "-Ic", look], ALICE, self.emuctl_environment(None))
                self.assertEqual(done.stdout, f"{policy} 3 00040000 {adjustment}\n", done.stderr)

    def test_environment_and_arguments_are_bytes(self):
        words = [b"\xff\xfe", b"", b"two\nlines", b"--", b"-a", "ünï".encode(), b"\x01\"\\"]
        big = {f"BIG{n}": "x" * 100_000 for n in range(10)}
        odd = {os.fsdecode(b"ODD\xe9"): os.fsdecode(b"\x80\xff"), "EMPTY": "", "LINES": "a\nb"}
        report = self.assert_same(*[os.fsdecode(word) for word in words], env=big | odd)
        self.assertEqual(report["arguments"], [word.decode("latin-1") for word in words])
        self.assertEqual(report["environment"]["ODD\xe9"], "\x80\xff")

    def test_working_directory_is_the_callers(self):
        closed = self.temporary_directory()  # root's, mode 0700
        below = closed / "below"
        below.mkdir()
        os.chown(below, ALICE.uid, ALICE.uid)
        self.assertEqual(self.assert_same(cwd=below)["directory"], str(below))

        def delete():
            os.mkdir("deleted")
            os.chdir("deleted")
            os.rmdir("../deleted")

        report = self.assert_same(cwd=self.temporary_directory(ALICE), preexec_fn=delete)
        self.assertEqual(report["directory"], errno.ENOENT)

    def test_descriptors_are_the_callers(self):
        reader, writer = os.pipe()
        os.dup2(reader, 77, inheritable=True)
        with open("/etc/passwd", "rb") as file:
            report = self.assert_same(pass_fds=(77, file.fileno()))
            self.assertEqual(sorted(report["descriptors"]), sorted(["0", "1", "2", "77", str(file.fileno())]))
        os.write(writer, b"through the pipe\n")
        os.close(writer)
        done = self.emuctl_run("bash", "-c", "cat <&77", pass_fds=(77,))
        self.assertEqual(done.stdout, "through the pipe\n")
        os.close(reader)
        os.close(77)
        line = f"{BIN_DIR}/emuctl run {' '.join(self.options)} -a aarch64 -- cat <(echo substituted)"
        done = run(["bash", "-c", line], ALICE, self.emuctl_environment(None))
        self.assertEqual((done.stdout, done.stderr), ("substituted\n", ""))

    def test_closed_descriptors_stay_closed(self):
        for closed in ("<&-", "2>&-", "<&- 2>&-"):
            with self.subTest(closed=closed):
                report = self.assert_same(through=("sh", "-c", f'exec "$@" {closed}', "sh"))
                self.assertNotIn("0" if "<" in closed else "2", report["descriptors"])

    def test_ignored_signals_and_no_new_privileges_are_the_callers(self):
        ignored = self.assert_same(through=("sh", "-c", 'trap "" HUP USR1; exec "$@"', "sh"))["status"]["SigIgn"]
        for number in signal.SIGHUP, signal.SIGUSR1:
            self.assertTrue(int(ignored, 16) >> (number - 1) & 1, number)
        self.assertEqual(self.assert_same(preexec_fn=no_new_privileges)["status"]["NoNewPrivs"], "1")

    def test_exit_statuses(self):
        for status in (0, 1, 2, 42, 125, 126, 127, 128, 129, 254, 255):
            with self.subTest(status=status):
                self.assert_status(self.emuctl_run(guest("exit-with"), status), status)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGABRT, signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM):
            with self.subTest(signal=number):
                self.assert_status(self.emuctl_run("sh", "-c", f"kill -{int(number)} $$"), 128 + number)
        self.assert_status(self.emuctl_run(guest("exit-with"), -signal.SIGTERM), 128 + signal.SIGTERM)

    def test_command_that_cannot_be_started(self):
        plain = self.temporary_directory(ALICE) / "plain"
        plain.write_text("no program\n")
        for command, status, words in (
            ("no-such-command", 127, "no-such-command"), ("./no-such-file", 127, "no-such-file"),
            (plain, 126, "Permission denied"), ("/", 126, "/"), ("/etc", 126, "/etc"),
        ):
            with self.subTest(command=command):
                done = self.emuctl_run(command)
                self.assert_status(done, status)
                self.assertIn(words, done.stderr)
                self.assertEqual(done.stdout, "")

    def test_program_without_a_handler(self):
        """What the kernel only calls an exec format error: the message tells whose program it is, or what is wrong with it."""
        directory = self.temporary_directory(ALICE)
        whole = guest("hello-arm64").read_bytes()
        machine = f"execute {guest('hello-arm64')}: it is a program for aarch64, and there is no handler for aarch64 here"
        for name, data, words in (
            (guest("hello-arm64"), None, (machine, "Add `-a aarch64`")),
            ("script", f"#!{guest('hello-arm64')} word\n".encode(), ("the interpreter of", "Add `-a aarch64`")),
            ("empty", b"", ("the file is empty",)),
            ("text", b"echo text\n", ("neither a program nor a script", "sh FILE")),
            ("unknown", whole[:18] + b"\xfe\xfe" + whole[20:], ("a machine that emud has no emulator for",)),
            ("object", whole[:16] + b"\1\0" + whole[18:], ("it is not an executable",)),
            ("missing\nline", b"#!/no/such/interpreter\n", ("/no/such/interpreter is not",)),
        ):
            with self.subTest(name=name):
                if data is not None:
                    name = directory / name
                    name.write_bytes(data)
                    name.chmod(0o755)
                done = self.emuctl_run(name, architecture="riscv64")
                self.assert_status(done, 126)
                for word in words:
                    self.assertIn(word, done.stderr)
                self.assertEqual(done.stdout, "")

    def test_dynamic_program_without_its_linker(self):
        linker = "/lib/ld-linux-aarch64.so.1"
        self.require(not os.path.exists(linker) and not os.path.exists("/etc/qemu-binfmt/aarch64"), "this machine has the C library")
        program = self.temporary_directory(ALICE) / "dynamic"
        data = bytearray(guest("hello-arm64").read_bytes())
        # The second program header becomes PT_INTERP, with its path where the section headers were.
        header = 64 + 56
        path = linker.encode() + b"\0"
        data[header:header + 56] = struct.pack("<IIQQQQQQ", 3, 4, len(data), 0, 0, len(path), len(path), 1)
        program.write_bytes(data + path)
        program.chmod(0o755)
        done = self.emuctl("run", *self.options, program)
        self.assert_status(done, 255)
        self.assertIn(linker, done.stderr)
        self.assertIn("QEMU_LD_PREFIX", done.stderr)

    def test_command_cannot_change_its_handlers(self):
        remove = f"echo -1 > {BINFMT_MISC}/emud-aarch64"
        add = f"echo :other:M::other::/bin/true: > {BINFMT_MISC}/register"
        nested = f"unshare -Urm sh -c 'mount -o remount,bind,rw {BINFMT_MISC}; {remove}; {add}'"
        done = self.emuctl_run("sh", "-c", f"{remove}; {add}; {nested}; ls {BINFMT_MISC}; {guest('hello-arm64')}")
        self.assert_status(done, 0)
        self.assertEqual(done.stdout.split("\n"), ["emud-aarch64", "register", "status", "hello from aarch64", ""])
        self.assertGreaterEqual(done.stderr.count("Read-only") + done.stderr.count("denied"), 4, done.stderr)

    def test_aliases(self):
        for alias in ("arm64", "linux/arm64", "aarch64-linux", "AArch64", "arm64,aarch64"):
            with self.subTest(alias=alias):
                done = self.emuctl_run(guest("hello-arm64"), architecture=alias)
                self.assert_status(done, 0)
                self.assertEqual(done.stdout, "hello from aarch64\n")

    def test_native_architectures_need_no_handler(self):
        self.require(os.uname().machine == "x86_64", "the names in this test are those of an x86_64 machine")
        images = self.temporary_directory(ALICE)
        self.assert_status(run([BUILD_DIR / "support/dump_probes", images]), 0)
        for name, canonical in ("amd64", "x86_64"), ("i386", "i386"), ("linux/386", "i386"):
            with self.subTest(name=name):
                done = self.emuctl_run("ls", BINFMT_MISC, architecture=name)
                self.assert_status(done, 0)
                self.assertEqual(set(done.stdout.split()) - {"register", "status"}, set())
                self.assertIn(f"note: this machine runs {canonical} itself", done.stderr)
                done = self.emuctl_run(images / canonical, architecture=name)
                self.assert_status(done, 0)
                self.assertEqual(done.stdout, "emud probe\n")
        done = self.emuctl("run", *self.options, "-q", "-a", "i386", "--", images / "i386")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "emud probe\n", ""))
        done = self.emuctl("run", *self.options, "-v", "-a", "i386,arm64", "--", guest("hello-arm64"))
        self.assertEqual(done.stdout, "hello from aarch64\n")
        self.assertIn("native i386", done.stderr)
        self.assertNotIn("note:", done.stderr)
        done = self.emuctl("probe", *self.options, "i386")
        self.assert_status(done, 0)
        self.assertIn("without a handler", done.stdout)

    def test_probe_images_of_other_architectures(self):
        names = [name for name in ("arm", "riscv64", "s390x", "ppc64le") if machine_emulator(name)]
        self.require(len(names) >= 3, "this machine has too few emulators")
        with HostWatch() as host:
            done = self.emuctl("probe", *[option for option in self.options], *names)
            self.assert_status(done, 0)
            self.assertFalse(host.has_seen())
        self.assertEqual(done.stdout.splitlines(), [f"{name}: ready (private scope)" for name in names])
