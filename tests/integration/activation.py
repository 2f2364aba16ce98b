"""What systemd does for emud: passes the socket, takes descriptors to keep, passes them again."""

import array
import fcntl
import select
import socket

from support import *


class ActivatedEmud(Emud):
    """An emud whose socket, and the descriptors it asks to be kept, outlive it."""

    def __init__(self, *options):
        super().__init__(*options)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.socket))
        self.socket.chmod(0o666)
        self.listener.listen(64)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.directory / "notify"))
        self.notify.setblocking(False)
        self.kept = {}  # name -> descriptor

    def start(self):
        self.take_notifications()
        passed = [(self.listener.fileno(), "emud.socket"), *((fd, name) for name, fd in self.kept.items())]
        ready, ready_emud = os.pipe()
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd, _ in passed]
        high_ready = fcntl.fcntl(ready_emud, fcntl.F_DUPFD, 100)
        os.close(ready_emud)

        def place():
            for number, fd in enumerate(high, 3):
                os.dup2(fd, number)

        names = ":".join(name for _, name in passed)
        with open(self.log, "ab") as log, open(ready, "rb") as answer:
            self.process = start(
                ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", BIN_DIR / "emud", "--state-dir", self.state, "--runtime-dir",
                 self.runtime, "--ready-fd", high_ready, *self.options],
                env={"LISTEN_FDS": str(len(passed)), "LISTEN_FDNAMES": names, "NOTIFY_SOCKET": str(self.directory / "notify")},
                stdout=log, stderr=log, preexec_fn=place, pass_fds=[*range(3, 3 + len(high)), high_ready])
            for fd in (*high, high_ready):
                os.close(fd)
            said = answer.read()
        if said != b"ready\n":
            raise AssertionError(f"emud did not start: exit status {self.process.wait()}\n{self.text()}")
        return self

    def start_when_called(self):
        """Waits for a connection, as systemd does, then starts it."""
        if not select.select([self.listener], [], [], SECONDS_TO_RUN)[0]:
            raise AssertionError("nobody has connected")
        return self.start()

    def take_notifications(self):
        """What emud has told since; its descriptors go to `kept`. All messages, as text."""
        messages = []
        while True:
            try:
                data, ancillary, _, _ = self.notify.recvmsg(65536, socket.CMSG_LEN(64))
            except BlockingIOError:
                return messages
            fds = array.array("i")
            for _, _, block in ancillary:
                fds.frombytes(block)
            text = data.decode()
            messages.append(text)
            fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
            name = fields.get("FDNAME")
            if "FDSTORE" in fields:
                if name in self.kept:
                    os.close(self.kept[name])
                self.kept[name] = fds[0]
            elif "FDSTOREREMOVE" in fields and name in self.kept:
                os.close(self.kept.pop(name))

    def close(self):
        super().close()
        self.listener.close()
        self.notify.close()
        for fd in self.kept.values():
            os.close(fd)
