"""Attacks of a command on its keeper, its limits and the host; and of a process that takes a dead client's pid."""

import socket

from test_rights import RightsCase
from essentials import *
from wire_client import *

LAST_PID = "/proc/sys/kernel/ns_last_pid"

# What a command under a lease tries; prints a word for each thing that worked.
ATTACK = """
import ctypes, os, resource, sys
libc = ctypes.CDLL(None, use_errno=True)
keeper, own = os.getppid(), os.getpid()
PIDFD_GETFD, PROCESS_VM_READV, NEWUSER, NEWNS = 438, 310, 0x10000000, 0x20000
def attempt(name, action):
    try:
        if action() in (None, True): print(name)
    except OSError: pass
def write(path, text):
    fd = os.open(path, os.O_WRONLY)
    os.write(fd, text.encode())
for pid in keeper, int(sys.argv[1]):
    pidfd = os.pidfd_open(pid)
    for number in 0, 1, 3, 4, 5, 6, 7, 8:
        attempt(f"take descriptor {number} of {pid}", lambda: libc.syscall(PIDFD_GETFD, pidfd, number, 0) >= 0)
        attempt(f"open descriptor {number} of {pid}", lambda: os.close(os.open(f"/proc/{pid}/fd/{number}", os.O_RDWR)))
    attempt(f"enter {pid}", lambda: libc.setns(pidfd, NEWUSER | NEWNS) == 0)
    attempt(f"enter the mounts of {pid}", lambda: libc.setns(pidfd, NEWNS) == 0)
    buffer = ctypes.create_string_buffer(8)
    vector = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 8)
    attempt(f"read {pid}", lambda: libc.syscall(PROCESS_VM_READV, pid, vector, 1, vector, 1, 0) >= 0)
    attempt(f"limit {pid}", lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, 3)) and None)
    attempt(f"pin {pid}", lambda: os.sched_setaffinity(pid, {0}))
    attempt(f"slow {pid} down", lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))
    for name in "oom_score_adj", "comm", "clear_refs", "loginuid", "timerslack_ns", "uid_map", "setgroups", "coredump_filter":
        attempt(f"write {name} of {pid}", lambda: write(f"/proc/{pid}/{name}", "1"))
hierarchy, line = sys.argv[2], [line for line in open("/proc/self/cgroup") if line.startswith("0::")]
if hierarchy and line:
    folder = os.path.normpath(hierarchy + "/" + line[0].strip()[3:])
    for name in os.listdir(folder):
        attempt("write " + name, lambda: os.close(os.open(f"{folder}/{name}", os.O_WRONLY)))
    for target in os.path.dirname(folder), hierarchy:
        attempt("move to " + target, lambda: write(target + "/cgroup.procs", str(own)))
    attempt("cgroup of its own", lambda: os.mkdir(folder + "/mine"))
for what in b"tmpfs", b"binfmt_misc", b"proc":
    for where in b"/proc/sys/fs/binfmt_misc", b"/proc/sys", b"/mnt":
        attempt(f"mount {what} on {where}", lambda: libc.mount(b"none", where, what, 0, None) == 0)
attempt("bind", lambda: libc.mount(b"/tmp", b"/proc/sys/fs/binfmt_misc", None, 4096, None) == 0)
attempt("remount", lambda: libc.mount(None, b"/proc/sys/fs/binfmt_misc", None, 32 | 4096, None) == 0)
attempt("register", lambda: write("/proc/sys/fs/binfmt_misc/register", ":evil:M::EVIL::/bin/true:"))
# Its own namespaces it may make, with all rights in them and none outside.
if os.fork() == 0:
    uid = os.getuid()
    libc.unshare(NEWUSER | NEWNS)
    try:
        write("/proc/self/uid_map", f"0 {uid} 1")
    except OSError: pass
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/hostname",
                 "/proc/sys/fs/binfmt_misc/status", "/proc/sys/fs/binfmt_misc/emud-aarch64", "/proc/1/oom_score_adj"):
        attempt("inside, write " + path, lambda: os.close(os.open(path, os.O_WRONLY)))
    attempt("inside, enter", lambda: libc.setns(os.pidfd_open(keeper), NEWNS) == 0)
    # An instance of its own it may have there, and registers for nobody else.
    os.makedirs("/tmp/own-binfmt", exist_ok=True)
    if libc.mount(b"binfmt_misc", b"/tmp/own-binfmt", b"binfmt_misc", 0, None) == 0:
        write("/tmp/own-binfmt/register", ":evil:M::EVIL::/bin/true:")
    attempt("inside, register", lambda: write("/proc/sys/fs/binfmt_misc/register", ":evil:M::EVIL::/bin/true:"))
    attempt("inside, move a mount", lambda: libc.umount2(b"/proc/sys/fs/binfmt_misc", 2) == 0)
    libc.mount(b"none", b"/proc/sys/fs/binfmt_misc", b"tmpfs", 0, None)
    os._exit(0)
os.wait()
attempt("hidden", lambda: not os.path.exists("/proc/sys/fs/binfmt_misc/emud-aarch64"))
print("done", flush=True)
"""


class Attacks(RightsCase):
    def test_on_the_keeper_emud_and_the_cgroup(self):
        done = self.emuctl("run", "-a", "aarch64", "--", PYTHON, "-I", "-c", ATTACK, str(self.emud.pid),
                           os.environ.get("EMUD_TEST_CGROUP", ""))
        self.assert_status(done, 0)
        self.assertEqual(done.stdout.split("\n"), ["done", ""])
        self.assertEqual(handlers(), [])
        self.assert_status(self.emuctl("run", guest("hello-arm64")), 0)

    def test_on_the_host_scope(self):
        done = self.emuctl("run", "--scope", "host", "-a", "aarch64", "--", PYTHON, "-I", "-c", ATTACK, str(self.emud.pid),
                           os.environ.get("EMUD_TEST_CGROUP", ""), user=CAROL)
        self.assert_status(done, 0)
        self.assertEqual(done.stdout.split("\n"), ["done", ""])

    def test_handler_of_the_host_stays_as_it_is(self):
        self.assert_status(self.emuctl("register", "aarch64", user=CAROL), 0)
        entry = pathlib.Path(BINFMT_MISC, "emud-aarch64").read_text()
        self.emuctl("run", "-a", "aarch64", "--", PYTHON, "-I", "-c", ATTACK, str(self.emud.pid), "")
        self.assertEqual(pathlib.Path(BINFMT_MISC, "emud-aarch64").read_text(), entry)
        self.assert_status(self.emuctl("unregister", "--all", user=CAROL), 0)

    def test_on_another_users_lease(self):
        """To signal, to trace, to stop or to resume it is its owner's and root's."""
        process, lease = self.start_holding()
        held = self.start_emuctl("lease", "aarch64", user=CAROL, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        expect_line(held.stdout, "ready")
        shown = {one["scope"]: one for one in status(self.emud)["leases"]}
        keeper = shown["private"]["keeper"]
        victims = [keeper, process.pid, *(int(pid) for pid in pathlib.Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split())]
        self.assertEqual(len(victims), 3)

        def attack():
            worked = []
            for pid in victims:
                for number in signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP, signal.SIGWINCH:
                    for how in (lambda: os.kill(pid, number), lambda: signal.pidfd_send_signal(os.pidfd_open(pid), number)):
                        try:
                            how()
                            worked.append(f"signal {number} to {pid}")
                        except PermissionError:
                            pass
                if libc.ptrace(16, pid, 0, 0) == 0:
                    worked.append(f"trace {pid}")
            with Wire(self.emud.socket) as wire:
                for method, parameters in (("Cancel", {"lease": lease}), ("Release", {"lease": lease}),
                                           ("Cancel", {"lease": shown["host"]["id"]}), ("Release", {"lease": shown["host"]["id"]}),
                                           ("Acquire", {"architectures": [], "resume": shown["host"]["id"]}),
                                           ("Acquire", {"architectures": [], "resume": lease})):
                    try:
                        wire.call(method, parameters)
                        worked.append(f"{method} {parameters}")
                    except WireError:
                        pass
            return worked

        self.assertEqual(as_user(BOB, attack), [])
        self.assertEqual({one["id"]: one["state"] for one in status(self.emud)["leases"]},
                         {one["id"]: "ready" for one in shown.values()})
        self.finish(process)
        held.communicate("", SECONDS_TO_RUN)
        self.assertEqual(held.returncode, 0)

    def test_stdio_of_every_kind(self):
        """The caller may hand over whatever he has; emud and the keeper do not care, and the command gets just that."""
        unix, other = socket.socketpair()
        kinds = {"socket": unix.fileno(), "directory": os.open("/", os.O_RDONLY), "pidfd": os.pidfd_open(os.getpid()),
                 "memfd": os.memfd_create("x"), "eventfd": os.eventfd(0), "pipe": os.pipe()[0]}
        cwd = os.open(ALICE.home, os.O_PATH)
        for kind, fd in kinds.items():
            with self.subTest(kind=kind):
                wait = as_user(ALICE, start_and_wait, self.emud.socket, run_parameters(), [fd, cwd])
                self.assertEqual(wait["status"], 0)
            os.close(fd) if kind != "socket" else unix.close()
        other.close()
        os.close(cwd)

    def test_pid_of_a_dead_client_taken_by_another(self):
        self.require(os.access(LAST_PID, os.W_OK), f"{LAST_PID} cannot be written")
        ours, theirs = socket.socketpair()
        connector = os.fork()
        if connector == 0:
            os.setresgid(ALICE.uid, ALICE.uid, ALICE.uid)
            os.setresuid(ALICE.uid, ALICE.uid, ALICE.uid)
            wires = [Wire(self.emud.socket) for _ in range(2)]
            wires[0].call("Release", {"lease": "none"})  # this one is accepted; the other may still wait
            socket.send_fds(theirs, [b"x"], [wire.socket.fileno() for wire in wires])
            os._exit(0)
        _, fds, _, _ = socket.recv_fds(ours, 1, 2)
        os.waitpid(connector, 0)
        for _ in range(100):  # others may fork meanwhile
            pathlib.Path(LAST_PID).write_text(str(connector - 1), encoding="ascii")
            successor = os.fork()
            if successor == 0:
                signal.pause()
            if successor == connector:
                break
            os.kill(successor, signal.SIGKILL)
            os.waitpid(successor, 0)
        self.assertEqual(successor, connector)
        null, cwd = os.open("/dev/null", os.O_RDWR), os.open("/", os.O_PATH)
        for fd in fds:
            with Wire.of(fd) as wire, self.assertRaises((WireError, OSError)):
                wire.call("Run", run_parameters(arguments=["id"]), [null, cwd])
        os.kill(successor, signal.SIGKILL)
        os.waitpid(successor, 0)
        for fd in null, cwd, ours, theirs:
            fd.close() if isinstance(fd, socket.socket) else os.close(fd)
        self.assertEqual(status(self.emud)["leases"], [])


if __name__ == "__main__":
    main()
