"""Signals that a client sends to the foreground group of its command's terminal."""

import json
import pty
import socket
import stat

from essentials import *
from wire_client import *

LAST_PID = "/proc/sys/kernel/ns_last_pid"


# Puts a group in the foreground of its terminal that is gone a moment later.
STALE_GROUP = """
import os, signal
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    signal.pause()
try: os.setpgid(child, child)
except OSError: pass
os.tcsetpgrp(0, child)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
print("gone", child, flush=True)
while True: signal.pause()
"""


class ForegroundGroup(TestCase):
    def test_whose_number_is_another_users_by_now(self):
        self.require(os.access(LAST_PID, os.W_OK), "pids cannot be chosen here")
        main, terminal = pty.openpty()
        self.addCleanup(os.close, main)
        reader, writer = os.pipe()
        directory = os.open("/", os.O_RDONLY)
        os.fchmod(terminal, 0o666)
        result = as_user(ALICE, self.take_over, self.emud.socket, terminal, directory, writer, reader)
        for fd in terminal, directory, reader, writer:
            os.close(fd)
        self.assertEqual(result, "alive")

    @staticmethod
    def take_over(path, terminal, directory, writer, reader):
        # The number is taken by a process of root's, whom this one asks for it by a file it may write to.
        parameters = run_parameters(
            arguments=[PYTHON, "-I", "-c", STALE_GROUP], terminal=0,
            descriptors=[{"number": 0, "index": 0}, {"number": 1, "index": 2}])
        with Wire(path) as wire:
            wire.send("Run", parameters, (terminal, directory, writer))
            message, got = wire.receive()
            if "error" in message:
                raise WireError(message["error"], message["parameters"])
            with Wire.of(got[0]) as keeper:
                keeper.socket.settimeout(SECONDS_TO_END)
                keeper.send_bytes(b'{"method":"io.emud.Keeper.Wait"}\0')
                group = int(os.read(reader, 100).split()[1])
                with socket.socket(socket.AF_UNIX) as helper:
                    helper.connect("/run/number-taker")
                    helper.sendall(str(group).encode())
                    helper.recv(100)
                    keeper.send_bytes(json.dumps({"method": "io.emud.Keeper.Signal", "oneway": True,
                                                  "parameters": {"signal": int(signal.SIGKILL)}}).encode() + b"\0")
                    keeper.receive()  # the command has ended
                    helper.sendall(b"?")
                    return helper.recv(100).decode()

    def setUp(self):
        super().setUp()
        self.emud = self.start_emud()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("/run/number-taker")
        os.chmod("/run/number-taker", stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO)
        listener.listen()
        server = os.fork()
        if server == 0:
            connection, _ = listener.accept()
            wanted, victim = int(connection.recv(100)), 0
            for _ in range(1000):
                with open(LAST_PID, "w", encoding="ascii") as file:
                    file.write(str(wanted - 1))
                victim = os.fork()
                if victim == 0:
                    os.setpgid(0, 0)
                    signal.pause()
                if victim == wanted:
                    os.setpgid(victim, victim)
                    break
                os.kill(victim, signal.SIGKILL)
                os.waitpid(victim, 0)
            connection.sendall(b"taken")
            connection.recv(1)
            ended, _ = os.waitpid(victim, os.WNOHANG)
            answer = b"killed" if ended else b"alive" if victim == wanted else b"no such number"
            if not ended:
                os.kill(victim, signal.SIGKILL)
                os.waitpid(victim, 0)
            connection.sendall(answer)
            os._exit(0)
        listener.close()
        self.addCleanup(os.unlink, "/run/number-taker")
        self.addCleanup(os.waitpid, server, 0)


if __name__ == "__main__":
    main()
