"""emuctl and a socket that is not emud's; emud and a peer that is not emuctl."""

import socket
import threading

from essentials import *
from wire_client import *

MIB = 1 << 20


class Impostor:
    """A listening socket that is not emud's. `behave` gets each connection, which then lasts until emuctl hangs up."""

    def __init__(self, path, behave):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        os.chmod(path, 0o666)
        self.listener.listen()
        self.behave = behave
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self.threads[-1].start()

    def _serve(self, connection):
        with connection:
            try:
                self.behave(connection)
                while connection.recv(65536):  # without a control buffer: the descriptors that come are closed
                    pass
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        self.listener.close()


class Impostors(ErrorCase):
    """emuctl and a socket that is not emud's."""

    def check(self, behave, *words, path=None):
        directory = self.temporary_directory()
        directory.chmod(0o755)
        path = path or directory / "socket"
        with Impostor(path, behave):
            for verb, status in ((("run", "--", "true"), 125), (("status",), 1)):
                done = self.emuctl("--socket", path, *verb)
                self.assert_error(done, status, str(path), *words)

    def test_it_talks_garbage(self):
        self.check(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n\0"), "protocol")

    def test_it_talks_json_of_another_kind(self):
        for text in (b"[]\0", b'{"error":5}\0', b'{"parameters":[]}\0', b'"x"\0', b"\0"):
            with self.subTest(text=text):
                self.check(lambda connection, text=text: connection.sendall(text), "protocol")

    def test_its_answer_lacks_everything(self):
        directory = self.temporary_directory()
        directory.chmod(0o755)
        with Impostor(directory / "socket", lambda connection: connection.sendall(b'{"parameters":{}}\0')):
            for verb, status in ((("run", "--", "true"), 125), (("status",), 1)):
                self.assert_error(self.emuctl("--socket", directory / "socket", *verb), status)

    def test_it_hangs_up(self):
        self.check(lambda connection: connection.close(), "closed")

    def test_it_floods(self):
        def flood(connection):
            for _ in range(100):
                connection.sendall(b"x" * MIB)

        self.check(flood, "protocol")

    def test_it_is_silent(self):
        self.check(lambda connection: None, "does not answer")

    def test_it_is_no_stream_socket(self):
        directory = self.temporary_directory()
        directory.chmod(0o755)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
            datagrams.bind(str(directory / "datagrams"))
            os.chmod(directory / "datagrams", 0o666)
            self.assert_error(self.emuctl("--socket", directory / "datagrams", "status"), 1, "another kind")
        (directory / "file").touch()
        (directory / "file").chmod(0o666)
        self.assert_error(self.emuctl("--socket", directory / "file", "status"), 1, "no socket")
        self.assert_error(self.emuctl("--socket", "/" + "x" * 200, "status"), 2, "107")


class Peers(ErrorCase):
    """emud and a peer that is not emuctl."""

    def assert_refused(self, data, error="Protocol", fds=()):
        """emud says so once, and hangs up."""
        with Wire(self.emud.socket) as wire:
            try:
                wire.send_bytes(data, fds)
            except (BrokenPipeError, ConnectionResetError):
                pass
            try:
                answer = wire.receive()
                if answer is not None:
                    self.assertIn(error, answer[0]["error"])
                    self.assertIsNone(wire.receive())
            except ConnectionResetError:
                pass  # it had not read all of it
        self.assert_alive()
        return answer

    def test_garbage(self):
        for data in (b"GET / HTTP/1.1\r\n\r\n\0", b"\0", b"[]\0", b"{}\0", b'{"method":1}\0', b'{"method":""}\0', b"\xff\xfe\0",
                     b'{"method":"x","parameters":[]}\0', b'{"method":"io.emud.Manager.GetStatus","more":true,"oneway":true}\0',
                     b"[" * 100_000 + b"\0", b'{"a":' * 100_000 + b"\0",
                     # No NUL will ever come: HTTP, TLS, SSH, a line editor.
                     b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01", b"SSH-2.0-OpenSSH_9.2\r\n", b"\r\nstatus\n"):
            with self.subTest(data=data[:30]):
                self.assertIsNotNone(self.assert_refused(data))

    def test_100_mebibytes_without_end(self):
        before = resident(self.emud.pid)
        with Wire(self.emud.socket) as wire:
            sent = 0
            with self.assertRaises((BrokenPipeError, ConnectionResetError)):
                for _ in range(100):
                    wire.send_bytes(b"x" * MIB)
                    sent += 1
        self.assertLess(sent, 20)
        self.assert_alive()
        self.assertLess(peak(self.emud.pid) - before, 40 * MIB)

    def test_many_descriptors(self):
        with open("/dev/null", "rb") as null:
            for _ in range(3):
                with Wire(self.emud.socket) as wire, self.assertRaises((WireError, ConnectionError)):
                    for _ in range(20):
                        wire.send_bytes(b"x", [null.fileno()] * 250)
                    raise WireError("closed", {})
            self.assert_alive()
            before = len(os.listdir(f"/proc/{self.emud.pid}/fd"))
            with Wire(self.emud.socket) as wire:
                wire.send("GetStatus", {}, [null.fileno()] * 100)
                self.assertIn("version", wire.receive()[0]["parameters"])
                wire.call("GetStatus")
            self.assert_alive()
            self.assertLess(len(os.listdir(f"/proc/{self.emud.pid}/fd")), before + 20)

    def test_unknown_methods_and_parameters(self):
        with Wire(self.emud.socket) as wire:
            for method, parameters, name in (
                ("NoSuchMethod", {}, "MethodNotFound"), ("Cancel", {}, "InvalidParameter"),
                ("Cancel", {"lease": 5}, "InvalidParameter"), ("Cancel", {"lease": "00000000"}, "NotFound"),
                ("Cancel", {"lease": "../../etc"}, "NotFound"), ("Acquire", {"architectures": "arm"}, "InvalidParameter"),
                ("RemoveEmulator", {"digest": "../../.."}, "InvalidArgument"),
            ):
                with self.subTest(method=method, parameters=parameters), self.assertRaises(WireError) as raised:
                    wire.call(method, parameters)
                self.assertEqual(raised.exception.name, name)
            self.assertIn("version", wire.call("GetStatus"))  # the same connection goes on

    def test_half_a_message_then_nothing_keeps_nobody_waiting(self):
        with Wire(self.emud.socket) as wire:
            wire.send_bytes(b'{"method":"io.emud.Man')
            self.assert_status(self.emuctl("run", guest("hello-arm64")), 0)

    def test_too_many_connections(self):
        connections = []
        try:
            with self.assertRaises((WireError, ConnectionError)) as raised:
                for _ in range(600):
                    connections.append(Wire(self.emud.socket))
                    connections[-1].call("GetStatus")
            if isinstance(raised.exception, WireError):
                self.assertEqual(raised.exception.name, "LimitExceeded")
            self.assert_status(self.emuctl("status"), 0)  # another user has room
        finally:
            for connection in connections:
                connection.close()


def memory(pid, field):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(field))


def resident(pid):
    return memory(pid, "VmRSS")


def peak(pid):
    return memory(pid, "VmHWM")


if __name__ == "__main__":
    main()
