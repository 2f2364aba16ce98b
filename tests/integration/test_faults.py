"""Each system call of a lease's way up and down is made to fail: nothing is left, emud lives, the next lease works, and the error
names the step. What a signal cuts short (EINTR) is done again.

The way is recorded first (fault_injector.py), then each of its calls fails in turn. By default the first call of each kind
(process, call, object) does, once with an error and once by EINTR where the kernel has that. With EMUD_FAULTS=all every call fails
with every error of the table, which takes ten minutes; EMUD_FAULTS=REGEX chooses among those.
"""

import pathlib
import re
import sys
import time

from essentials import *
from fault_injector import Injector, Point, allow_everything, normal
from wire_client import status

# What each call may fail with for want of something, or since a disk or a kernel is broken; the first is tried by default.
FITS = {
    "accept4": "EMFILE ENOMEM", "access": "EACCES", "chdir": "EACCES", "chroot": "EPERM", "clone3": "ENOMEM EAGAIN",
    "connect": "EACCES", "copy_file_range": "ENOSPC", "dup2": "EMFILE", "epoll_create1": "EMFILE", "epoll_ctl": "ENOSPC ENOMEM",
    "eventfd2": "EMFILE", "execve": "ENOMEM EACCES", "faccessat2": "EACCES", "fchdir": "EACCES EIO", "fchmod": "EIO EPERM",
    "fchown": "EIO", "fstatfs": "EIO", "fsync": "EIO ENOSPC", "ftruncate": "EIO", "getdents64": "EIO", "getsockopt": "ENOMEM",
    "inotify_add_watch": "ENOSPC ENOMEM", "inotify_init1": "EMFILE", "memfd_create": "EMFILE ENOMEM", "mkdir": "ENOSPC EACCES",
    "mkdirat": "ENOSPC EACCES", "mount": "ENOMEM EPERM", "newfstatat": "EACCES EIO", "openat": "EMFILE ENOMEM EACCES EIO",
    "pidfd_open": "EMFILE", "pipe2": "EMFILE", "pread64": "EIO", "read": "EIO", "readlink": "EACCES", "readlinkat": "EACCES",
    "recvmsg": "ENOMEM", "rename": "EIO", "renameat": "EIO ENOSPC", "renameat2": "EIO", "rmdir": "EBUSY EIO",
    "sched_setaffinity": "EINVAL", "sendmsg": "ENOMEM", "setgroups": "EPERM", "setresgid": "EPERM", "setresuid": "EAGAIN",
    "setns": "EPERM", "signalfd4": "EMFILE ENOMEM", "socket": "EMFILE", "socketpair": "EMFILE ENOMEM", "statfs": "EIO",
    "statx": "EIO", "timerfd_create": "EMFILE", "umount2": "EBUSY", "unlink": "EIO", "unlinkat": "EIO EBUSY",
    "unshare": "ENOSPC EPERM", "write": "ENOSPC EIO",
}
INTERRUPTED = {"accept4", "connect", "epoll_wait", "fstatfs", "openat", "poll", "pread64", "read", "recvmsg", "rt_sigtimedwait",
               "sendmsg", "wait4", "write"}
# What libraries do by themselves: a failure of theirs may have no other name than "not in the group", but leaves nothing either.
LIBRARIES = re.compile(r"userdb|nsswitch|/lib|/etc/(group|passwd|ld\.so|host|localtime|ssl|libnl)|^//|^/(usr|run|etc)?/?(host|local)?/?$"
                       r"|\.so|locale|/sys/devices|/dev/(tty|urandom)|selinux")
USERS_CGROUP = re.compile(r"/emud-user-[^/]*$")
# Where emud says in its own words what an errno means here.
OWN_WORDS = ("emud has no descriptor left", "the kernel does not say which process it is", "cannot be looked at")
SECONDS = 3 * SECONDS_TO_END
ATTEMPTS = 3
RUN = ("run", "-a", "aarch64", "--", guest("hello-arm64"))


def faults_of(point, all_errors=True):
    names = FITS.get(point.call, "").split()
    if point.call == "rmdir" and USERS_CGROUP.search(point.object or ""):
        names = []  # its one error, EBUSY, says that another lease of the user's is in it, which will remove it: it is believed
    interrupted = ["EINTR"] if point.call in INTERRUPTED and not LIBRARIES.search(point.object or "-") else []
    return [(point, name) for name in (names if all_errors else names[:1]) + interrupted]


def files_below(place):
    """With directories; what goes meanwhile is left out."""
    return [os.path.join(path, name) for path, directories, files in os.walk(place) for name in directories + files]


class FaultsCase(TestCase):
    def setUp(self):
        super().setUp()
        self.require(os.uname().machine == "x86_64", "the injector knows the system calls of x86_64 only")
        self.problems = []

    # A test has: lease(**options), one lease to its end; recorded() and with_fault(point, number), the same with the injector on;
    # fresh(), which makes the next lease do everything; places, directories that nothing may be left in.

    def state(self):
        return {
            "processes": sorted(processes()), "mounts": mounts(), "handlers": handlers(), "cgroups": cgroups(),
            "temporary files": temporaries(),
            "files": sorted(path for place in self.places for path in files_below(place)
                            if not {"proofs", "verified", "log"} & set(path.split("/")))}

    def settled(self):
        """The state once nothing changes and no lease is left: emud ends one after its client has ended."""
        before, deadline = None, time.monotonic() + SECONDS
        while (state := self.state()) != before or state.get("leases"):
            self.assertLess(time.monotonic(), deadline, state)
            before = state
            time.sleep(0.3)
        return state

    def differences(self):
        """What is left, or missing, after SECONDS."""
        deadline = time.monotonic() + SECONDS
        while (state := self.state()) != self.clean:
            if time.monotonic() > deadline:
                return {what: (f"left: {[one for one in state[what] if one not in clean]}",
                               f"missing: {[one for one in clean if one not in state[what]]}")
                        for what, clean in self.clean.items() if clean != state[what]}
            time.sleep(0.005)
        return {}

    def said(self):
        """What was said elsewhere than to the user since the last call."""
        return ""

    def is_right(self, done):
        return (done.returncode, done.stdout, done.stderr) == (0, "hello from aarch64\n", "")

    def let_age(self):
        """What emud looks at more often while it is new is not."""

    def check_all(self):
        wanted = os.environ.get("EMUD_FAULTS", "")
        for _ in range(2):
            self.fresh()
            self.assertTrue(self.is_right(self.lease()))
        self.let_age()
        self.clean = self.settled()
        points = self.recorded()
        again = set(self.recorded())
        points = [point for point in points if point in again]
        self.assertGreater(len(points), 30, points)
        if wanted not in ("", "all"):
            faults = [fault for point in points for fault in faults_of(point) if re.search(wanted, "{} {}".format(*fault))]
        else:
            faults = [fault for point in points if wanted == "all" or point.nth == 1 for fault in faults_of(point, wanted == "all")]
        began = time.monotonic()
        missed = [f"{point} {name}" for point, name in faults if not self.check(point, name)]
        print(f"{self.id()}: {len(faults)} faults in {time.monotonic() - began:.0f} s, not met: {missed}", file=sys.stderr)
        self.assertEqual(self.problems, [], "\n".join(self.problems))
        self.assertLessEqual(len(missed), len(faults) // 20 + 1, missed)

    def check(self, point, name):
        """Whether the call was made. What is wrong then goes to the problems."""
        number = getattr(errno, name)
        for _ in range(ATTEMPTS):
            problems = []
            self.fresh()
            self.said()
            try:
                done, was_hit = self.with_fault(point, number)
            except AssertionError as error:
                self.problems.append(f"{point} {name}: {error}; {self.differences()}")
                return True
            if left := self.differences():
                problems.append(f"{left}")
            if not self.is_right(done):
                problems += self.judge(point, name, number, done, self.said())
            after = self.lease()
            if not self.is_right(after):
                problems.append(f"the next lease: {after}")
            if left := self.differences():
                problems.append(f"after the next lease: {left}")
            if problems:
                self.problems += [f"{point} {name}: {problem}" for problem in problems]
                return True
            if was_hit:
                return True
        return False

    def judge(self, point, name, number, done, said):
        """What is wrong with a failure."""
        text = done.stderr + said
        is_librarys = LIBRARIES.search(point.object or "-") is not None
        if name == "EINTR" and not is_librarys:
            return [f"an interruption was not survived: {done}"]
        if done.returncode not in (125, 126):
            return [f"{done}"]
        if not re.search(r"^emuctl: \w+ .+: \w+", done.stderr, re.MULTILINE):
            return [f"no step is named: {done}"]
        if not is_librarys and os.strerror(number) not in text and not any(words in text for words in OWN_WORDS):
            return [f"the reason is not named: {done} {said}"]
        return []


class EmudCase(FaultsCase):
    """The calls of emud, its keeper and its other children."""

    def setUp(self):
        super().setUp()
        self.injector = Injector()
        self.addCleanup(self.injector.close)
        emud = Emud("--kill-after", "0.2")
        self.emuds.append(emud)
        self.addCleanup(self.end_emud, emud)
        self.emud = emud.start(preexec_fn=self.injector.confine)
        self.places = [emud.directory]
        self.seen = 0

    def state(self):
        descriptors = []
        for number in os.listdir(f"/proc/{self.emud.pid}/fd"):
            try:
                descriptors.append(re.sub(r"\d+", "N", os.readlink(f"/proc/{self.emud.pid}/fd/{number}")))
            except FileNotFoundError:
                continue  # closed meanwhile
        return super().state() | {"descriptors": sorted(descriptors), "leases": status(self.emud)["leases"]}

    def let_age(self):
        os.utime(self.emud.state / "store", (0, 0))

    def is_over(self):
        return all(self.clean[what] == value for what, value in super(EmudCase, self).state().items())

    def said(self):
        text = self.emud.text()
        said, self.seen = text[self.seen:], len(text)
        return said

    def fresh(self):
        for proof in (self.emud.runtime / "proofs").glob("*"):
            proof.unlink()

    def recorded(self):
        self.fresh()
        self.assertEqual(self.differences(), {})
        done = self.lease(self.injector.record)
        time.sleep(0.2)  # it ends a lease after the client has ended
        points = self.injector.stop()
        self.assertTrue(self.is_right(done), done)
        self.assertEqual(self.differences(), {})
        return points

    def with_fault(self, point, number):
        try:
            done = self.lease(lambda: self.injector.arm(point, number))
            # Nothing that is asked of emud meanwhile shall be hit.
            deadline = time.monotonic() + SECONDS
            while not self.injector.was_hit and not self.is_over() and time.monotonic() < deadline:
                time.sleep(0.005)
        finally:
            was_hit = self.injector.stop()
        return done, was_hit


class Emuds(EmudCase):
    def lease(self, begin=lambda: None):
        begin()
        return self.emuctl(RUN[0], *self.options, *RUN[1:], user=self.user, timeout=SECONDS)

    def test_private(self):
        self.options, self.user = (), ALICE
        self.check_all()

    def test_host(self):
        self.options, self.user = ("--scope", "host"), CAROL
        self.check_all()


class Killed(EmudCase):
    """The way down of a lease whose command does not end by itself."""

    def lease(self, begin=lambda: None):
        # It waits without a system call more: those would be recorded, sometimes.
        command = [*RUN[:-1], "sh", "-c", "echo ready; read line"]
        read_end, write_end = os.pipe()
        with open(read_end), open(write_end, "w"):
            process = self.start_emuctl(*command, stdin=read_end, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            expect_line(process.stdout, "ready")
            (lease,) = status(self.emud)["leases"]
            begin()
            os.kill(lease[self.victim], signal.SIGKILL)
            out, err = process.communicate(timeout=SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def is_right(self, done):
        return done.returncode == self.expected

    def test_keeper(self):
        self.victim, self.expected = "keeper", 125
        self.check_all()

    def test_emuctl(self):
        self.victim, self.expected = "pid", -signal.SIGKILL
        self.check_all()


class Lasting(HolderCase):
    """What goes on failing: emud keeps what it could not end or bring up in mind, and goes on trying."""

    def setUp(self):
        super().setUp()
        self.require(os.uname().machine == "x86_64", "the injector knows the system calls of x86_64 only")
        self.injector = Injector()
        self.addCleanup(self.injector.close)
        self.emud = Emud("--kill-after", "0.2")
        self.emuds.append(self.emud)
        self.addCleanup(self.end_emud, self.emud)

    def wait_for(self, condition, what):
        deadline = time.monotonic() + SECONDS
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"{what}: {status(self.emud)}, {handlers()}")
            time.sleep(0.02)

    def states(self):
        return [lease["state"] for lease in status(self.emud)["leases"]]

    def test_record_of_a_lease_that_cannot_be_removed(self):
        self.emud.start(preexec_fn=self.injector.confine)
        lease = self.hold("arm64")
        self.injector.arm(Point("", "unlinkat", f"{normal(str(self.emud.runtime))}/leases/N", 1), errno.EIO, lasting=True)
        lease.stdin.close()
        self.wait_for(lambda: self.states() == ["stuck"], "it is stuck")
        self.assertEqual(handlers(), [], "it holds a handler")
        self.assertIn(os.strerror(errno.EIO), self.emud.text())
        self.assert_status(self.emuctl("status"), 0)
        self.assertTrue(self.injector.stop())
        self.wait_for(lambda: self.states() == [], "it has ended")
        lease.wait(SECONDS_TO_END)
        for stream in (lease.stdout, lease.stderr):
            stream.close()

    def test_handler_of_a_pin_that_cannot_be_registered(self):
        self.emud.start()
        self.assert_status(self.emuctl("register", "arm64", "--persist", user=CAROL), 0)
        self.emud.kill()
        unregister_by_hand("emud-aarch64")
        self.injector.arm(Point("", "openat", f"{BINFMT_MISC}/register", 1), errno.EMFILE, lasting=True)
        self.emud.start(preexec_fn=self.injector.confine)
        self.wait_for(lambda: "does not come back" in self.emud.text(), "it is told of")
        self.assertEqual(handlers(), [])
        (handler,) = status(self.emud)["handlers"]
        self.assertEqual((handler["architecture"], handler["pinned"]), ("aarch64", True))
        self.assertIn(os.strerror(errno.EMFILE), self.emud.text())
        self.assertTrue(self.injector.stop())
        self.wait_for(lambda: handlers() == ["emud-aarch64"], "it is up")
        self.assert_status(self.emuctl("unregister", "arm64", user=CAROL), 0)
        self.assertEqual(handlers(), [])


class Emuctls(FaultsCase):
    """The calls of emuctl and, without emud, of its keeper."""

    options = ()

    def fresh(self):
        for proof in pathlib.Path(f"/run/user/{ALICE.uid}").rglob("proofs/*"):
            proof.unlink()

    def lease(self, injector=None):
        command = [BIN_DIR / "emuctl", RUN[0], *self.options, *RUN[1:]]
        if injector is None:
            return run(command, ALICE, self.emuctl_environment(None), timeout=SECONDS)

        def become_alice():
            injector.confine()
            os.setgroups([])
            os.setresgid(ALICE.uid, ALICE.uid, ALICE.uid)
            os.setresuid(ALICE.uid, ALICE.uid, ALICE.uid)

        return run(command, ROOT, ALICE.environment() | self.emuctl_environment(None), cwd=ALICE.home, preexec_fn=become_alice,
                   timeout=SECONDS)

    def recorded(self):
        self.fresh()
        self.assertEqual(self.differences(), {})
        injector = Injector()
        injector.record()
        try:
            done = self.lease(injector)
        finally:
            points = injector.stop()
            injector.close()
        self.assertTrue(self.is_right(done), done)
        began = next(at for at, point in enumerate(points) if point.call == "execve") + 1
        return [point for point in points[began:] if not LIBRARIES.search(point.object or "-")]

    def with_fault(self, point, number):
        injector = Injector()
        injector.arm(point, number)
        try:
            done = self.lease(injector)
            self.differences()
        finally:
            was_hit = injector.stop()
            injector.close()
        return done, was_hit

    def test_rootless(self):
        self.options = ("--rootless",)
        self.places = [ALICE.home, f"/run/user/{ALICE.uid}"]
        self.check_all()

    def test_client(self):
        emud = Emud("--kill-after", "0.2")
        self.emuds.append(emud)
        self.addCleanup(self.end_emud, emud)
        emud.start(preexec_fn=allow_everything)  # it takes nobody under a filter that it is not under itself
        self.places = [emud.directory, ALICE.home, f"/run/user/{ALICE.uid}"]
        self.check_all()


if __name__ == "__main__":
    main()
