"""Descriptors that keep whoever closes them waiting."""

import contextlib
import ctypes
import errno
import os
import socket
import struct
import threading

FUSE_LOOKUP, FUSE_GETATTR, FUSE_OPEN, FUSE_FLUSH, FUSE_INIT = 1, 3, 14, 25, 26
MNT_FORCE, MNT_DETACH = 1, 2

libc = ctypes.CDLL(None, use_errno=True)


def attributes(node):
    mode, size = (0o040755, 0) if node == 1 else (0o100666, 4096)
    return struct.pack("<6Q10I", node, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


class HostileFile:
    """The path of a file on a FUSE file system whose server never answers a FLUSH, which close(2) and the end of a process wait
    for, whatever signal comes. Whoever opens it hangs in the end until abort(). Messages: include/uapi/linux/fuse.h.
    """

    def __init__(self, directory):
        self.directory = os.fspath(directory)

    def __enter__(self):
        self.device = os.open("/dev/fuse", os.O_RDWR)
        data = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
        if libc.mount(b"hostile", self.directory.encode(), b"fuse", 0, data) != 0:
            number = ctypes.get_errno()
            os.close(self.device)
            raise OSError(number, f"mount fuse: {os.strerror(number)}")
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    @property
    def path(self):
        return f"{self.directory}/file"

    def abort(self):
        libc.umount2(self.directory.encode(), MNT_FORCE)  # fails, and ends every request (fuse_umount_begin)

    def serve(self):
        while True:
            try:
                request = os.read(self.device, 1 << 20)
            except OSError:
                return
            _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
            answer, error = b"", 0
            if opcode == FUSE_INIT:
                answer = struct.pack("<4I2HII2H8I", 7, 31, 65536, 0, 16, 12, 65536, 1, 0, 0, *[0] * 8)
            elif opcode == FUSE_LOOKUP:
                answer = struct.pack("<4Q2I", 2, 1, 3600, 3600, 0, 0) + attributes(2)
            elif opcode == FUSE_GETATTR:
                answer = struct.pack("<Q2I", 3600, 0, 0) + attributes(node)
            elif opcode == FUSE_OPEN:
                answer = struct.pack("<QII", 1, 0, 0)
            elif opcode == FUSE_FLUSH:
                continue
            else:
                error = -errno.ENOSYS
            try:
                os.write(self.device, struct.pack("<IiQ", 16 + len(answer), error, unique) + answer)
            except OSError:
                pass

    def __exit__(self, *_):
        self.abort()
        libc.umount2(self.directory.encode(), MNT_DETACH)
        os.close(self.device)


@contextlib.contextmanager
def lingering_socket(seconds):
    """A TCP socket with unsent data that close(2) waits for (SO_LINGER), and a function that closes it here without waiting: only
    for the end of a process that has it too, which does not linger. (A thread could wait in close(2) while a process that is just
    forked has it still, and waits longer.)"""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sender = socket.create_connection(listener.getsockname())
    receiver, _ = listener.accept()  # never reads
    sender.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sender.send(b"x" * 65536)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, seconds))

    def close():
        if sender.fileno() < 0:
            return
        gate, opened = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(opened)
            os.read(gate, 1)
            os._exit(0)
        sender.close()
        os.close(gate)
        os.close(opened)
        os.waitpid(child, 0)

    try:
        yield sender.fileno(), close
    finally:
        close()
        receiver.close()  # resets the connection: nobody waits any more
        listener.close()
