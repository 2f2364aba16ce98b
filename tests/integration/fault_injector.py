"""Makes one system call of a program, or of what it forks, fail: the kernel asks this process about each call of the program's
(seccomp_unotify(2)), which lets it go on or answers with an error of its own. Nothing is executed for a call that fails so.

A Point names a call by what it is rather than by when: the process (by the order in which they were started), the call, what it
is done to, and the how-many-th of that kind it is since the injector was armed.
"""

import ctypes
import dataclasses
import errno
import fcntl
import os
import re
import select
import struct
import threading

# x86_64 (arch/x86/entry/syscalls/syscall_64.tbl). What only moves memory or masks signals is left out, and close(2): a call that
# is not executed would leave the descriptor open, which no error of the kernel's does.
NUMBERS = {
    "read": 0, "write": 1, "poll": 7, "ioctl": 16, "pread64": 17, "access": 21, "dup2": 33, "socket": 41, "connect": 42,
    "sendto": 44, "recvfrom": 45, "sendmsg": 46, "recvmsg": 47, "bind": 49, "listen": 50, "socketpair": 53, "setsockopt": 54,
    "getsockopt": 55, "clone": 56, "fork": 57, "vfork": 58, "execve": 59, "wait4": 61, "fcntl": 72, "fsync": 74, "ftruncate": 77,
    "chdir": 80, "fchdir": 81, "rename": 82, "mkdir": 83, "rmdir": 84, "unlink": 87, "readlink": 89, "chmod": 90, "fchmod": 91,
    "fchown": 93, "setpgid": 109, "setsid": 112, "setgroups": 116, "setresuid": 117, "setresgid": 119,
    "rt_sigtimedwait": 128, "statfs": 137, "fstatfs": 138, "setpriority": 141, "prctl": 157, "setrlimit": 160, "chroot": 161,
    "mount": 165, "umount2": 166, "sched_setaffinity": 203, "getdents64": 217, "epoll_wait": 232, "epoll_ctl": 233,
    "waitid": 247, "inotify_add_watch": 254, "inotify_rm_watch": 255, "openat": 257, "mkdirat": 258, "fchownat": 260,
    "newfstatat": 262, "unlinkat": 263, "renameat": 264, "linkat": 265, "symlinkat": 266, "readlinkat": 267, "fchmodat": 268,
    "unshare": 272, "epoll_pwait": 281, "timerfd_create": 283, "fallocate": 285, "timerfd_settime": 286, "accept4": 288,
    "signalfd4": 289, "eventfd2": 290, "epoll_create1": 291, "dup3": 292, "pipe2": 293, "inotify_init1": 294, "prlimit64": 302,
    "setns": 308, "renameat2": 316, "memfd_create": 319, "execveat": 322, "copy_file_range": 326, "statx": 332,
    "pidfd_send_signal": 424, "open_tree": 428, "move_mount": 429, "pidfd_open": 434, "clone3": 435, "close_range": 436,
    "openat2": 437, "pidfd_getfd": 438, "faccessat2": 439,
}
NAMES = {number: name for name, number in NUMBERS.items()}
# Which argument is the path, relative to the directory descriptor before it for those of PATH_AT.
PATHS = {name: 0 for name in ("access", "execve", "chdir", "rename", "mkdir", "rmdir", "unlink", "readlink", "chmod", "statfs",
                              "umount2", "chroot")} | {"mount": 1, "inotify_add_watch": 1}
PATH_AT = {name: 1 for name in ("openat", "mkdirat", "fchownat", "newfstatat", "unlinkat", "renameat", "readlinkat", "fchmodat",
                                "execveat", "statx", "openat2", "faccessat2", "open_tree", "renameat2")} | {"linkat": 1}
DESCRIPTORS = {name: 0 for name in ("read", "write", "ioctl", "pread64", "fcntl", "fsync", "fchdir", "fchmod", "fchown",
                                    "fstatfs", "getdents64", "sendmsg", "recvmsg", "setsockopt", "getsockopt", "ftruncate",
                                    "setns", "accept4", "pidfd_send_signal", "timerfd_settime")} | {"epoll_ctl": 2}
VALUES = {"prctl": 0, "unshare": 0, "prlimit64": 1, "setrlimit": 0, "dup2": 1}

SYS_SECCOMP = 317
SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 1 << 3, 1 << 5
SECCOMP_RET_ALLOW, SECCOMP_RET_USER_NOTIF = 0x7FFF0000, 0x7FC00000
SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND = 0xC0502100, 0xC0182101
SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1
SYS_PIDFD_GETFD = 438
BPF_LOAD, BPF_JUMP_EQUAL, BPF_RETURN = 0x20, 0x15, 0x06

libc = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass(frozen=True, order=True)
class Point:
    process: str  # "": the program; "/2": its second child since the injector was armed; "/2/1": that one's first
    call: str
    object: str
    nth: int

    def __str__(self):
        return f"{self.process or '/'} {self.call} {self.object} #{self.nth}"


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def _filter():
    """seccomp(2): these calls are asked about, all others are allowed. x86_64 only."""
    count = len(NAMES)
    code = struct.pack("HBBI", BPF_LOAD, 0, 0, 0)  # seccomp_data.nr
    for at, number in enumerate(NAMES):
        code += struct.pack("HBBI", BPF_JUMP_EQUAL, count - at, 0, number)
    code += struct.pack("HBBI", BPF_RETURN, 0, 0, SECCOMP_RET_ALLOW)
    return code + struct.pack("HBBI", BPF_RETURN, 0, 0, SECCOMP_RET_USER_NOTIF)


_CODE = ctypes.create_string_buffer(_filter())
_PROGRAM = _Program(len(_CODE) // 8, ctypes.addressof(_CODE))
_ALLOW = ctypes.create_string_buffer(struct.pack("HBBI", BPF_RETURN, 0, 0, SECCOMP_RET_ALLOW))
_ALLOW_PROGRAM = _Program(1, ctypes.addressof(_ALLOW))


def allow_everything():
    """In a child, as root: it is under a filter as a confined program is, but nothing fails."""
    if libc.syscall(SYS_SECCOMP, SECCOMP_SET_MODE_FILTER, 0, ctypes.byref(_ALLOW_PROGRAM)) != 0:
        os._exit(1)


class Injector:
    """start(preexec_fn=injector.confine): that program's calls. One program at a time; close() it when that has ended."""

    def __init__(self):
        self.told, self._tell = os.pipe()
        self.listener = None
        self.root = None
        self._lock = threading.Lock()
        self._disarm()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def confine(self):
        """In the child, as root, before it executes the program."""
        number = os.dup(self.told)  # the lowest that is free: the listener's will be the same
        os.close(number)
        os.write(self._tell, struct.pack("ii", os.getpid(), number))
        flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
        if libc.syscall(SYS_SECCOMP, SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(_PROGRAM)) != number:
            os.writev(self._tell, [b"-"])
            os._exit(1)
        os.writev(self._tell, [b"+"])  # which is not among the calls

    def close(self):
        """After the program's end."""
        os.close(self._tell)
        self._thread.join()
        os.close(self.told)

    # ---- what a test does ----

    def _disarm(self):
        self.recorded = None
        self.point = None
        self.lasting = False
        self.errno = 0
        self.was_hit = False
        self._counts = {}
        self._roles = {}
        self._children = {}
        self._executed = set()

    def record(self):
        """From now on every Point is noted, until stop(): that returns them in their order."""
        with self._lock:
            self._disarm()
            self.recorded = []

    def arm(self, point, number, lasting=False):
        """That Point will fail with that errno: once, or from then on whichever of its kind it is, until stop()."""
        with self._lock:
            self._disarm()
            self.point = point
            self.lasting = lasting
            self.errno = number

    def stop(self):
        """What was recorded, or whether the call was made to fail."""
        with self._lock:
            result = self.was_hit if self.recorded is None else self.recorded
            self._disarm()
            return result

    # ---- the other thread ----

    def _serve(self):
        told = os.read(self.told, 8)
        if not told or os.read(self.told, 1) != b"+":
            return  # nobody was started, or not confined
        pid, number = struct.unpack("ii", told)
        self.root = pid
        pidfd = os.pidfd_open(pid)
        self.listener = libc.syscall(SYS_PIDFD_GETFD, pidfd, number, 0)
        os.close(pidfd)
        poll = select.poll()
        poll.register(self.listener, select.POLLIN)
        poll.register(self.told, select.POLLHUP)
        try:
            while True:
                ready = dict(poll.poll())
                if ready.get(self.listener, 0) & select.POLLIN:
                    self._answer()
                elif ready:
                    return  # POLLHUP: nobody is under the filter any more
        finally:
            os.close(self.listener)

    def _answer(self):
        message = bytearray(80)
        try:
            fcntl.ioctl(self.listener, SECCOMP_IOCTL_NOTIF_RECV, message)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR):
                return  # it was killed meanwhile
            raise
        identifier, tid = struct.unpack_from("QI", message)
        number, = struct.unpack_from("i", message, 16)
        arguments = struct.unpack_from("6Q", message, 32)
        failure = 0
        with self._lock:
            if self.recorded is not None or (self.point is not None and (self.lasting or not self.was_hit)):
                failure = self._consider(tid, NAMES[number], arguments)
        answer = struct.pack("QqiI", identifier, 0, -failure, 0 if failure else SECCOMP_USER_NOTIF_FLAG_CONTINUE)
        try:
            fcntl.ioctl(self.listener, SECCOMP_IOCTL_NOTIF_SEND, answer)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise

    def _consider(self, tid, call, arguments):
        """The errno that this call shall fail with, or 0."""
        role = self._role(tid)
        if role is None or (self.point is not None and (role, call) != (self.point.process, self.point.call)):
            self._note_execution(role, tid, call)
            return 0
        kind = role, call, self._object(tid, call, arguments)
        nth = self._counts[kind] = self._counts.get(kind, 0) + 1
        point = Point(*kind, nth)
        if self.recorded is not None:
            self.recorded.append(point)
        elif point == self.point or (self.lasting and kind == (self.point.process, self.point.call, self.point.object)):
            self.was_hit = True
            return self.errno
        self._note_execution(role, tid, call)
        return 0

    def _note_execution(self, role, tid, call):
        if role is not None and call in ("execve", "execveat"):
            self._executed.add(tid)

    def _role(self, tid):
        """None: it is another program by now, or a descendant of one."""
        if tid == self.root:
            return ""
        if tid in self._executed:
            self._executed.remove(tid)
            if os.path.basename(_link(f"/proc/{tid}/exe")) != os.path.basename(_link(f"/proc/{self.root}/exe")):
                self._roles[tid] = None
        if tid not in self._roles:
            status = dict(line.split(":\t", 1) for line in _read(f"/proc/{tid}/status").splitlines() if ":\t" in line)
            group, parent = int(status.get("Tgid", 0)), int(status.get("PPid", 0))
            if group not in (0, tid):
                self._roles[tid] = self._role(group)
            elif parent == 0 or (above := self._role(parent)) is None:
                self._roles[tid] = None
            else:
                self._children[above] = self._children.get(above, 0) + 1
                self._roles[tid] = f"{above}/{self._children[above]}"
        return self._roles[tid]

    def _object(self, tid, call, arguments):
        if call in PATHS:
            return normal(_string(tid, arguments[PATHS[call]]))
        if call in PATH_AT:
            path = _string(tid, arguments[PATH_AT[call]])
            directory = ctypes.c_int(arguments[PATH_AT[call] - 1] & 0xFFFFFFFF).value
            if not path.startswith("/") and directory >= 0:
                path = f"{_link(f'/proc/{tid}/fd/{directory}')}/{path}"
            return normal(path)
        if call in DESCRIPTORS:
            return normal(_link(f"/proc/{tid}/fd/{arguments[DESCRIPTORS[call]]}"))
        if call in VALUES:
            return str(arguments[VALUES[call]])
        return ""


def normal(text):
    """Without what differs from run to run: pids, inodes, ids of leases."""
    text = re.sub(r"(?<=/emud-)[0-9a-z_]{8}(?=/)|(?<=/proc/)\d+|(?<=/task/)\d+|(?<=/fd/)\d+|(?<=/fdinfo/)\d+", "N", text)
    return re.sub(r"(?<![0-9a-f])([0-9a-f]{8}|[0-9a-f-]{36})(?![0-9a-f])|(?<=[\[.:])\d+", "N", text)


def _read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _link(path):
    try:
        return os.readlink(path)
    except OSError:
        return "?"


def _string(tid, address):
    try:
        with open(f"/proc/{tid}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            found = b""
            while b"\0" not in found and len(found) < 4096:
                # To the end of its page: the next may not be there.
                part = memory.read(min(256, 4096 - (address + len(found)) % 4096))
                if not part:
                    break
                found += part
    except (OSError, ValueError, OverflowError):
        return "?"
    return found.partition(b"\0")[0].decode(errors="replace")
