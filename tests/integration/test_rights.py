"""Attacks: what a caller, a command and a passer-by must not be able to do."""

import signal
import socket

from essentials import *
from wire_client import *

HOLD = ("sh", "-c", "echo ready; read line")

# What an attacker under a lease tries; prints a word for each thing that worked.
ATTACK = """
import ctypes, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
keeper = os.getppid()
def attempt(name, action):
    try:
        if action() in (None, True): print(name)
    except OSError: pass
attempt("kill", lambda: os.kill(keeper, signal.SIGKILL))
attempt("stop", lambda: os.kill(keeper, signal.SIGSTOP))
attempt("ptrace", lambda: libc.ptrace(16, keeper, 0, 0) == 0)
for name in "mem", "environ", "root", "cwd", "fd", "ns/mnt", "ns/user", "maps":
    attempt("read " + name, lambda: os.listdir(f"/proc/{keeper}/{name}") and None if name == "fd"
            else os.close(os.open(f"/proc/{keeper}/{name}", os.O_RDONLY)))
for name in "ns/mnt", "ns/user":
    def enter():
        fd = os.open(f"/proc/{keeper}/{name}", os.O_RDONLY)
        return libc.setns(fd, 0) == 0
    attempt("enter " + name, enter)
for name in ("fs/binfmt_misc/register", "fs/binfmt_misc/status", "fs/binfmt_misc/emud-aarch64", "kernel/core_pattern",
             "kernel/hostname", "vm/overcommit_memory"):
    attempt("write " + name, lambda: os.close(os.open("/proc/sys/" + name, os.O_WRONLY)))
for pid in 1, int(sys.argv[1]):
    path = f"/proc/{pid}/root/proc/sys/fs/binfmt_misc/register"
    attempt(f"host binfmt through {pid}", lambda: os.close(os.open(path, os.O_WRONLY)))
    attempt(f"kill {pid}", lambda: os.kill(pid, signal.SIGKILL))
attempt("setuid", lambda: os.setuid(0))
attempt("setgroups", lambda: os.setgroups([0]))
attempt("mount", lambda: libc.mount(b"none", b"/mnt", b"tmpfs", 0, None) == 0)
attempt("umount", lambda: libc.umount2(b"/proc/sys/fs/binfmt_misc", 2) == 0)
attempt("cgroup", lambda: os.close(os.open(sys.argv[2] + "/cgroup.procs", os.O_WRONLY)) if sys.argv[2] else False)
print("done")
"""


class RightsCase(TestCase):
    def setUp(self):
        super().setUp()
        self.emud = self.start_emud()

    def start_holding(self, user=ALICE, **options):
        """A run that lasts until its input ends: its process, and its lease's id."""
        before = {lease["id"] for lease in status(self.emud)["leases"]}
        process = self.start_emuctl("run", "-a", "aarch64", "--", *HOLD, user=user, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True, **options)
        expect_line(process.stdout, "ready")
        new = [lease["id"] for lease in status(self.emud)["leases"] if lease["id"] not in before]
        self.assertEqual(len(new), 1)
        return process, new[0]

    def finish(self, process, status_wanted=0, text="\n"):
        _, err = process.communicate(text, SECONDS_TO_RUN)
        self.assertEqual(process.returncode, status_wanted, err)

    def assert_wire_error(self, name, function, *arguments):
        with self.assertRaises(WireError) as raised:
            function(*arguments)
        self.assertEqual(raised.exception.name, name, raised.exception)
        return raised.exception.parameters


class Callers(RightsCase):
    def test_callers_in_other_namespaces_are_refused(self):
        for kind in (("--user", "--map-root-user"), ("--user", "--map-root-user", "--mount"),
                     ("--user", "--map-root-user", "--pid", "--fork"), ("--user", "--net"), ("--user", "--ipc"),
                     ("--user", "--uts")):
            with self.subTest(kind=kind):
                words = ["unshare", *kind, BIN_DIR / "emuctl", "run", "-a", "aarch64", "--", "true"]
                done = run(words, ALICE, self.emud.environment())
                self.assert_status(done, 125)
                self.assertIn("--rootless", done.stderr)
        for kind in ("--mount", "--net", "--pid"):
            with self.subTest(kind=kind):
                fork = ["--fork"] if kind == "--pid" else []
                done = run(["unshare", kind, *fork, BIN_DIR / "emuctl", "run", "--", "true"], ROOT, self.emud.environment())
                self.assert_status(done, 125)
                self.assertIn("--rootless", done.stderr)

    def test_caller_in_a_chroot_is_refused(self):
        def from_chroot(directory):
            with Wire(self.emud.socket) as wire:
                null = os.open("/dev/null", os.O_RDWR)
                cwd = os.open("/", os.O_PATH)
                os.chroot(directory)
                return wire.call("Run", run_parameters(), [null, cwd])

        same = pathlib.Path("/run/same-root")  # the machine's: rmdir must find it unmounted, nothing here may remove a tree
        same.mkdir()
        self.addCleanup(same.rmdir)
        subprocess.run(["mount", "--rbind", "/", same], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", same], check=True)
        for directory in self.temporary_directory(), same:
            parameters = self.assert_wire_error("PermissionDenied", as_user, ROOT, from_chroot, directory)
            self.assertIn("chroot", parameters["reason"])
            self.assertIn("--rootless", parameters["hint"])

    def test_caller_that_dies_at_once_leaves_nothing(self):
        def send_and_die(receive):
            wire = Wire(self.emud.socket)
            null = os.open("/dev/null", os.O_RDWR)
            wire.send("Run", run_parameters(arguments=["sleep", "1000"]), [null, os.open("/", os.O_PATH)], more=True)
            for _ in range(receive):
                wire.receive()
            os.kill(os.getpid(), signal.SIGKILL)

        for receive in (0, 0, 0, 1, 1, 2):
            child = os.fork()
            if child == 0:
                os.setresgid(ALICE.uid, ALICE.uid, ALICE.uid)
                os.setresuid(ALICE.uid, ALICE.uid, ALICE.uid)
                send_and_die(receive)
            os.waitpid(child, 0)
        self.assertEqual(processes_left(self.processes_before | {self.emud.pid: ""}), {})
        self.assert_status(self.emuctl("run", guest("hello-arm64")), 0)

    def test_dead_caller_whose_socket_lives_on_is_refused(self):
        # A forked child keeps the connection of a parent that has ended: whose rights would the command have?
        ours, theirs = socket.socketpair()
        connector = os.fork()
        if connector == 0:
            wire = Wire(self.emud.socket)
            socket.send_fds(theirs, [b"x"], [wire.socket.fileno()])
            os._exit(0)
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        os.waitpid(connector, 0)
        wire = Wire.of(fds[0])
        null, cwd = os.open("/dev/null", os.O_RDWR), os.open("/", os.O_PATH)
        with wire, ours, theirs:
            with self.assertRaises(WireError):
                wire.call("Run", run_parameters(), [null, cwd])
        os.close(null)
        os.close(cwd)

    def test_host_scope_needs_the_group(self):
        for words, wanted in ((("run", "--scope", "host", "-a", "arm64", "--", "true"), 125), (("lease", "arm64"), 1),
                              (("register", "arm64"), 1), (("unregister", "--all"), 1)):
            with self.subTest(words=words):
                done = self.emuctl(*words)
                self.assert_status(done, wanted)
                self.assertIn("group emud", done.stderr)
                self.assertIn("usermod", done.stderr)
        self.assertEqual(handlers(), [])
        self.assert_status(self.emuctl("run", "--scope", "private", "-a", "arm64", "--", "true"), 0)
        self.assert_status(self.emuctl("status"), 0)

    def test_private_scope_can_be_kept_to_the_group(self):
        closed = self.start_emud("--private", "group")
        done = self.emuctl("run", "-a", "arm64", "--", "true", emud=closed)
        self.assert_status(done, 125)
        self.assertIn("group emud", done.stderr)
        self.assert_status(self.emuctl("run", "-a", "arm64", "--", "true", emud=closed, user=CAROL), 0)

    def test_leases_of_others_cannot_be_ended(self):
        process, lease = self.start_holding()

        def ask(method):
            with Wire(self.emud.socket) as wire:
                return wire.call(method, {"lease": lease})

        for user in BOB, CAROL:
            for method in "Cancel", "Release":
                self.assert_wire_error("PermissionDenied", as_user, user, ask, method)
        self.assertEqual([one["id"] for one in status(self.emud)["leases"]], [lease])
        self.finish(process)
        for user in ALICE, ROOT:
            process, lease = self.start_holding()
            as_user(user, ask, "Cancel")
            self.finish(process, 125, "")
            self.assertEqual(status(self.emud)["leases"], [])

    def test_limit_of_leases_is_each_users(self):
        small = self.start_emud("--max-leases-per-user", "1")
        process = self.start_emuctl("run", "-a", "arm64", "--", *HOLD, emud=small, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    text=True)
        expect_line(process.stdout, "ready")
        done = self.emuctl("run", "-a", "arm64", "--", "true", emud=small)
        self.assert_status(done, 125)
        self.assertIn("max-leases-per-user", done.stderr)
        self.assert_status(self.emuctl("run", "-a", "arm64", "--", "true", emud=small, user=BOB), 0)
        process.communicate("\n", SECONDS_TO_RUN)
        self.assertEqual(process.returncode, 0)


class LeaseLimits(RightsCase):
    def hold(self, emud, user=ALICE):
        process = self.start_emuctl("run", "-a", "arm64", "--", *HOLD, emud=emud, user=user, cwd="/", stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, text=True)
        expect_line(process.stdout, "ready")
        return process

    def assert_no_more(self, emud, key, user=ALICE):
        done = self.emuctl("run", "-a", "arm64", "--", "true", emud=emud, user=user)
        self.assert_status(done, 125)
        self.assertIn(key, done.stderr)

    def test_subordinate_users_count_as_their_owner(self):
        pathlib.Path("/etc/subuid").write_text("alice:200000:65536\n", encoding="utf-8")
        small = self.start_emud("--max-leases-per-user", "1")
        process = self.hold(small, User("alice", 200_001))
        self.assert_no_more(small, "max-leases-per-user")
        self.finish(process)

    def test_first_lease_of_a_user_is_always_granted(self):
        small = self.start_emud("--max-leases", "1")
        process = self.hold(small)
        self.assert_no_more(small, "max-leases")
        self.assert_status(self.emuctl("run", "-a", "arm64", "--", "true", emud=small, user=BOB), 0)
        self.finish(process)

    def test_leases_of_an_earlier_emud_count(self):
        small = self.start_emud("--max-leases-per-user", "1")
        process = self.hold(small)
        small.kill()
        small.start()
        self.assert_no_more(small, "max-leases-per-user")
        self.finish(process)


class Descriptors(RightsCase):
    """What a client may name in Run."""

    def call(self, fds, **changes):
        def ask():
            with Wire(self.emud.socket) as wire:
                answer = wire.call("Run", run_parameters(**changes), fds)
                wire.call("Release", {"lease": answer["lease"]})  # answered when it has ended
                return answer

        return as_user(ALICE, ask)

    def setUp(self):
        super().setUp()
        self.null, self.home = os.open("/dev/null", os.O_RDWR), os.open(ALICE.home, os.O_PATH | os.O_DIRECTORY)
        self.addCleanup(os.close, self.null)
        self.addCleanup(os.close, self.home)

    def assert_refused(self, fds, words, **changes):
        parameters = self.assert_wire_error("InvalidArgument", lambda: self.call(fds, **changes))
        self.assertIn(words, str(parameters))

    def test_good_request_is_granted(self):
        self.assertIn("keeper", self.call([self.null, self.home]))

    def test_working_directory_must_be_a_directory(self):
        with open("/etc/passwd", "rb") as file, socket.socket(socket.AF_UNIX) as unix:
            for fd in file.fileno(), unix.fileno(), self.null:
                self.assert_refused([self.null, fd], "not a directory")
        directory = os.open("/root", os.O_PATH | os.O_DIRECTORY)  # alice may not enter it, descriptor or not
        try:
            os.chmod("/root", 0o700)
            with self.assertRaises(WireError):
                as_user(ALICE, start_and_wait, self.emud.socket, run_parameters(), [self.null, directory])
        finally:
            os.close(directory)

    def test_stdio_must_be_open_for_something(self):
        path = os.open("/etc/passwd", os.O_PATH)
        self.assert_refused([path, self.home], "O_PATH")
        os.close(path)

    def test_numbers_and_indices(self):
        for changes in (
            {"descriptors": [{"number": 0, "index": 5}]}, {"descriptors": [{"number": 0, "index": -1}]},
            {"descriptors": [{"number": -1, "index": 0}]}, {"descriptors": [{"number": 70000, "index": 0}]},
            {"descriptors": [{"number": 2**40, "index": 0}]}, {"descriptors": [{"number": 0, "index": 1}]},
            {"descriptors": [{"number": 0, "index": 0}, {"number": 1, "index": 0}]},
            {"descriptors": [{"number": 3, "index": 0}, {"number": 3, "index": 1}], "workingDirectory": 2},
            {"workingDirectory": 9}, {"workingDirectory": -1}, {"workingDirectory": 0}, {"terminal": 5},
        ):
            with self.subTest(changes=changes):
                fds = [self.null, self.home] + ([os.dup(self.home)] if changes.get("workingDirectory") == 2 else [])
                self.assert_refused(fds, "", **changes)
                for fd in fds[2:]:
                    os.close(fd)
        self.assertEqual(status(self.emud)["leases"], [])

    def test_terminal_that_is_none(self):
        with self.assertRaises(WireError) as raised:
            as_user(ALICE, start_and_wait, self.emud.socket, run_parameters(terminal=0), [self.null, self.home])
        self.assertIn("terminal", str(raised.exception.parameters))

    def test_embedded_nul(self):
        for changes in ({"arguments": ["sh", "a\0b"]}, {"environment": ["A=b\0C=d"]}, {"architectures": ["aarch64\0"]},
                        {"encoding": "hex", "arguments": ["7368", "610062"]}):
            with self.subTest(changes=changes):
                with self.assertRaises(WireError) as raised:
                    self.call([self.null, self.home], **changes)
                self.assertIn(raised.exception.name, ("InvalidParameter", "InvalidArgument"))

    def test_umask_cannot_carry_more(self):
        self.assertIn("keeper", self.call([self.null, self.home], umask=0o7777777))

    def test_command_has_no_descriptor_but_the_callers(self):
        others = [self.start_holding(user)[0] for user in (ALICE, BOB)]
        connections = [Wire(self.emud.socket) for _ in range(5)]
        for rootless in (), ("--rootless",):
            done = self.emuctl("run", *rootless, "-a", "aarch64", "--", PYTHON, "-I", REPORT)
            self.assertEqual(sorted(json.loads(done.stdout)["descriptors"]), ["0", "1", "2"])
            foreign = self.emuctl("run", *rootless, "-a", "aarch64", "--", "sh", "-c", "ls -l /proc/self/fd")
            self.assertNotRegex(foreign.stdout, "socket|anon_inode|pts|emud")
        for connection in connections:
            connection.close()
        for process in others:
            self.finish(process)


class Commands(RightsCase):
    """What a command under a lease cannot do."""

    def test_attacks_on_the_keeper_the_kernel_and_emud(self):
        done = self.emuctl("run", "-a", "aarch64", "--", PYTHON, "-I", "-c", ATTACK, str(self.emud.pid),
                           os.environ.get("EMUD_TEST_CGROUP", ""))
        self.assert_status(done, 0)
        self.assertEqual(done.stdout.split("\n"), ["done", ""])
        self.assertEqual(handlers(), [])

    def test_setuid_guest_program_does_not_become_root(self):
        directory = self.temporary_directory()
        directory.chmod(0o755)
        program = directory / "identity"
        shutil.copy(guest("identity"), program)
        program.chmod(0o6755)
        for words in ((), ("--rootless",)):
            done = self.emuctl("run", *words, program)
            self.assert_status(done, 0)
            self.assertIn(f"uid {ALICE.uid} {ALICE.uid}", done.stdout.splitlines())
            self.assertIn(f"gid {ALICE.uid} {ALICE.uid}", done.stdout.splitlines())
        done = self.emuctl("run", "--scope", "host", program, user=CAROL)
        self.assertIn(f"uid {CAROL.uid} {CAROL.uid}", done.stdout.splitlines())

    def test_keeper_of_another_user_is_out_of_reach(self):
        process, lease = self.start_holding()
        keeper = next(one["keeper"] for one in status(self.emud)["leases"] if one["id"] == lease)
        self.assertGreater(keeper, 0)

        def attack():
            for action in (lambda: os.kill(keeper, signal.SIGTERM), lambda: os.open(f"/proc/{keeper}/mem", os.O_RDONLY),
                           lambda: os.listdir(f"/proc/{keeper}/fd")):
                try:
                    action()
                    return "worked"
                except PermissionError:
                    pass
            return "refused"

        for user in BOB, ALICE:
            self.assertEqual(as_user(user, attack), "refused")
        self.finish(process)

    def test_files_of_a_lease_are_not_writable_for_others(self):
        process, lease = self.start_holding()
        for path in self.emud.runtime.rglob("*"):
            self.assertEqual(path.stat().st_uid, 0, path)
            self.assertEqual(path.stat().st_mode & 0o022, 0, path)
        for path in self.emud.state.rglob("*"):
            self.assertEqual(path.stat().st_uid, 0, path)
            self.assertEqual(path.stat().st_mode & 0o022, 0, path)
        self.finish(process)

    def test_seccomp_filter_of_the_caller_is_not_lost(self):
        install = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7fff0000))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 1, ctypes.addressof(code)))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, program, 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])
"""
        words = [PYTHON, "-I", "-c", install, str(BIN_DIR / "emuctl"), "run", "-a", "aarch64", "--", "true"]
        done = run(words, ALICE, self.emud.environment())
        self.assert_status(done, 125)
        self.assertIn("seccomp", done.stderr)
        self.assertIn("--rootless", done.stderr)


if __name__ == "__main__":
    main()
