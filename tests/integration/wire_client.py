"""Varlink as a program of any manners would speak it, over emud's socket."""

import array
import json
import os
import socket

from support import *


class Wire:
    """A connection to emud. Use it in the process that is to be the peer."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.rest = b""  # of the next message, which came with the last
        self.socket.settimeout(SECONDS_TO_RUN)
        self.socket.connect(str(path))

    @classmethod
    def of(cls, fd):
        """A connection that is there already; takes the descriptor over."""
        wire = cls.__new__(cls)
        wire.socket = socket.socket(fileno=fd)
        wire.rest = b""
        wire.socket.settimeout(SECONDS_TO_RUN)
        return wire

    def send(self, method, parameters, fds=(), more=False):
        message = {"method": f"io.emud.Manager.{method}", "parameters": parameters}
        if more:
            message["more"] = True
        self.send_bytes(json.dumps(message).encode() + b"\0", fds)

    def send_bytes(self, data, fds=()):
        if fds:
            sent = self.socket.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
            data = data[sent:]
        if data:  # all may be there already, and emud gone
            self.socket.sendall(data)

    def receive(self):
        """The next message and its descriptors (of those that emud sends, the last of a stream has them); None at the end."""
        data, fds = self.rest, array.array("i")
        while b"\0" not in data:
            chunk, ancillary, _, _ = self.socket.recvmsg(65536, socket.CMSG_LEN(1024))
            for _, _, block in ancillary:
                fds.frombytes(block)
            if not chunk:
                return None
            data += chunk
        text, _, self.rest = data.partition(b"\0")
        return json.loads(text), list(fds)

    def call(self, method, parameters=None, fds=()):
        """The answer's parameters; a WireError for an error."""
        self.send(method, parameters or {}, fds)
        answer = self.receive()
        if answer is None:
            raise WireError("connection closed", {})
        message, got = answer
        for fd in got:
            os.close(fd)
        if "error" in message:
            raise WireError(message["error"], message.get("parameters", {}))
        return message["parameters"]

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class WireError(Exception):
    def __init__(self, name, parameters):
        super().__init__(f"{name}: {parameters}")
        self.name = name.rpartition(".")[2]
        self.parameters = parameters


def run_parameters(**changes):
    """Those of a Run of `true` with stdin, stdout and stderr at 0 and the working directory at 1 of the descriptors sent."""
    return {
        "architectures": ["aarch64"], "arguments": ["true"], "environment": ["PATH=/usr/bin:/bin"], "workingDirectory": 1,
        "descriptors": [{"number": 0, "index": 0}], "umask": 18} | changes


def as_user(user, function, *arguments):
    """Calls the function in a process of that user's; its result, or what it raised, comes back as JSON."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            os.setgroups(user.groups)
            os.setresgid(user.uid, user.uid, user.uid)
            os.setresuid(user.uid, user.uid, user.uid)
            os.chdir(user.home)
            try:
                answer = {"result": function(*arguments)}
            except WireError as error:
                answer = {"name": error.args[0].partition(":")[0], "parameters": error.parameters}
            os.write(writer, json.dumps(answer).encode())
        except BaseException as error:  # pylint: disable=broad-except
            os.write(writer, json.dumps({"exception": repr(error)}).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    message = json.loads(text)
    if "exception" in message:
        raise AssertionError(message["exception"])
    if "name" in message:
        raise WireError(message["name"], message["parameters"])
    return message["result"]


def start_and_wait(path, parameters, fds):
    """Run, then the keeper's Wait: its answer."""
    with Wire(path) as wire:
        wire.send("Run", parameters, fds)
        message, got = wire.receive()
        if "error" in message:
            raise WireError(message["error"], message["parameters"])
        with Wire.of(got[0]) as keeper:
            keeper.send_bytes(b'{"method":"io.emud.Keeper.Wait"}\0')
            message, _ = keeper.receive()
        if "error" in message:
            raise WireError(message["error"], message["parameters"])
        return message["parameters"]


def status(emud):
    """What GetStatus says, to nobody in particular."""
    with Wire(emud.socket) as wire:
        return wire.call("GetStatus")
