"""System calls of other programs: refused, held at a chosen moment (seccomp(2)), or made in their name (ptrace(2)).
The numbers and the layout of registers are those of x86_64."""

import ctypes
import errno
import fcntl
import os
import pathlib
import select
import socket
import struct
import threading

CALLS = {"write": 1, "fsync": 74, "prctl": 157, "exit_group": 231, "mkdirat": 258, "unlinkat": 263, "renameat": 264,
         "landlock_create_ruleset": 444}
SYS_SECCOMP, SET_MODE_FILTER, FLAG_NEW_LISTENER, NOTIF_CONTINUE = 317, 1, 8, 1
RET_ALLOW, RET_ERRNO, RET_USER_NOTIF = 0x7fff0000, 0x00050000, 0x7fc00000
NOTIF_RECV, NOTIF_SEND = 0xc0502100, 0xc0182101  # SECCOMP_IOCTL_NOTIF_*
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
NUMBER, FIRST_ARGUMENT = 0, 16  # in struct seccomp_data

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def check(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), what)
    return result


def install_filter(instructions, flags):
    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]

    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in instructions))
    program = Program(len(instructions), ctypes.addressof(code))
    return check(libc.syscall(SYS_SECCOMP, SET_MODE_FILTER, flags, ctypes.byref(program)), "seccomp")


def refuse(call, number=errno.ENOSYS):
    """For preexec_fn: from now on, that call fails here and in what is started from here."""
    install_filter([(LOAD, 0, 0, NUMBER), (EQUAL, 0, 1, CALLS[call]), (RETURN, 0, 0, RET_ERRNO | number),
                    (RETURN, 0, 0, RET_ALLOW)], 0)


class Watch:
    """Holds a program at its n-th call of a kind; all others go on. `install` is its preexec_fn, or its parent's.

    calls: name -> first argument that counts, or None for every one."""

    def __init__(self, calls):
        self.calls = calls
        self.ours, self.theirs = socket.socketpair()
        self.wanted = None
        self.held, self.released = threading.Event(), threading.Event()
        self.pid = None  # of what is held
        threading.Thread(target=self.serve, daemon=True).start()

    def install(self):
        code = []
        for name, argument in self.calls.items():
            notify = (RETURN, 0, 0, RET_USER_NOTIF)
            tail = [notify] if argument is None else [(LOAD, 0, 0, FIRST_ARGUMENT), (EQUAL, 0, 1, argument), notify,
                                                      (RETURN, 0, 0, RET_ALLOW)]
            code += [(LOAD, 0, 0, NUMBER), (EQUAL, 0, len(tail), CALLS[name]), *tail]
        listener = install_filter([*code, (RETURN, 0, 0, RET_ALLOW)], FLAG_NEW_LISTENER)
        socket.send_fds(self.theirs, [b"x"], [listener])

    def hold(self, name, call, count):
        """Processes of that name (as ps shows it, emud-fetcher with its first argument) are to be held at the count-th such call
        (from 1 on)."""
        self.wanted = [name, CALLS[call], count]

    @staticmethod
    def name_of(pid):
        name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
        if name != "emud-fetcher":
            return name
        return f"{name} {pathlib.Path(f'/proc/{pid}/cmdline').read_bytes().split(bytes(1))[1].decode()}"

    def serve(self):
        _, [listener], _, _ = socket.recv_fds(self.ours, 1, 1)
        self.ours.close()
        self.theirs.close()
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        while poll.poll()[0][1] & select.POLLIN:
            try:
                message = bytearray(80)
                fcntl.ioctl(listener, NOTIF_RECV, message)
                identity, pid, _, number = struct.unpack_from("=QIIi", message)
                if self.wanted and [self.name_of(pid), number] == self.wanted[:2]:
                    self.wanted[2] -= 1
                    if self.wanted[2] == 0:
                        self.pid = pid
                        self.held.set()
                        self.released.wait()
                fcntl.ioctl(listener, NOTIF_SEND, struct.pack("=QqiI", identity, 0, 0, NOTIF_CONTINUE))
            except OSError:
                pass  # it was killed meanwhile
        os.close(listener)  # all of it has ended


class Injector:
    """`with Injector(pid) as call: call(number, arguments...)`: the result of that system call, made by that process. Strings are
    written to its stack. Whoever does this needs CAP_SYS_PTRACE; the process goes on afterwards."""

    ATTACH, DETACH, GETREGS, SETREGS, SINGLESTEP = 16, 17, 12, 13, 9
    ALL = 0x40000000  # __WALL
    REGISTERS = struct.Struct("=27Q")  # struct user_regs_struct
    RAX, ORIG_RAX, RIP, RSP = 10, 15, 16, 19
    ARGUMENTS = (14, 13, 12, 7, 9, 8)  # rdi, rsi, rdx, r10, r8, r9

    def __init__(self, pid):
        self.pid = pid

    def ptrace(self, request, data=None):
        check(libc.ptrace(request, self.pid, None, data), f"ptrace {request}")

    def registers(self):
        buffer = ctypes.create_string_buffer(self.REGISTERS.size)
        self.ptrace(self.GETREGS, buffer)
        return list(self.REGISTERS.unpack(buffer.raw))

    def __enter__(self):
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        libc.ptrace.restype = ctypes.c_long
        self.ptrace(self.ATTACH)
        os.waitpid(self.pid, self.ALL)
        self.saved = self.registers()
        self.memory = os.open(f"/proc/{self.pid}/mem", os.O_RDWR)
        self.instruction = self.find_instruction()
        return self

    def find_instruction(self):
        """The address of a `syscall`."""
        for line in pathlib.Path(f"/proc/{self.pid}/maps").read_text().splitlines():
            addresses, permissions = line.split()[:2]
            begin, end = (int(part, 16) for part in addresses.split("-"))
            if "x" not in permissions or "[v" in line:
                continue
            at = os.pread(self.memory, end - begin, begin).find(b"\x0f\x05")
            if at >= 0:
                return begin + at
        raise AssertionError("no syscall instruction")

    def __call__(self, number, *arguments):
        registers = list(self.saved)
        registers[self.RSP] = (registers[self.RSP] - 8192) & ~15
        at = registers[self.RSP] + 64
        for register, value in zip(self.ARGUMENTS, arguments):
            if isinstance(value, (bytes, str)):
                data = os.fsencode(value) + b"\0"
                os.pwrite(self.memory, data, at)
                value, at = at, at + (len(data) + 15 & ~15)
            registers[register] = value & (1 << 64) - 1
        registers[self.RIP], registers[self.RAX], registers[self.ORIG_RAX] = self.instruction, number, (1 << 64) - 1
        self.ptrace(self.SETREGS, self.REGISTERS.pack(*registers))
        self.ptrace(self.SINGLESTEP)
        os.waitpid(self.pid, self.ALL)
        result = self.registers()[self.RAX]
        return result - (1 << 64) if result >> 63 else result

    def __exit__(self, *_):
        self.ptrace(self.SETREGS, self.REGISTERS.pack(*self.saved))
        self.ptrace(self.DETACH)
        os.close(self.memory)
