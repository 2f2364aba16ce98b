"""Floods: what one user sends, opens and passes must not keep emud from serving the others."""

import array
import contextlib
import resource
import socket

from hostile_files import HostileFile, lingering_socket
from test_rights import RightsCase
from wire_client import *

STATUS = b'{"method":"io.emud.Manager.GetStatus"}\0'


def raise_descriptor_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@contextlib.contextmanager
def another_user(user, function, *arguments):
    """Calls the function in a process of that user's, which then stays as it is until the end of the block. Gives its result."""
    reader, writer = os.pipe()
    stay, leave = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(leave)
            raise_descriptor_limit()
            if isinstance(user, User):
                os.setgroups(user.groups)
            uid = user.uid if isinstance(user, User) else user
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            kept = function(*arguments)
            os.write(writer, json.dumps(kept[0]).encode())
            os.close(writer)
            os.read(stay, 1)
        finally:
            os._exit(0)
    os.close(writer)
    os.close(stay)
    with open(reader, "rb") as answer:
        text = answer.read()
    try:
        yield json.loads(text)
    finally:
        os.close(leave)
        os.waitpid(child, 0)


def connect_often(path, count):
    """How many connections of those were served, and the reasons of the others."""
    kept, reasons = [], {}
    for _ in range(count):
        wire = Wire(path)
        kept.append(wire)
    served = 0
    for wire in kept:
        try:
            wire.send_bytes(STATUS)
        except OSError:
            pass  # refused and closed already; the reason is there to be read
        message = json.loads(wire.socket.recv(1 << 20).partition(b"\0")[0])
        if "error" in message:
            name = message["error"].rpartition(".")[2]
            reasons[name] = reasons.get(name, 0) + 1
        else:
            served += 1
    return (served, reasons), kept


def send_and_never_read(path, connections):
    kept = []
    for _ in range(connections):
        wire = Wire(path)
        wire.socket.setblocking(False)
        try:
            while True:
                wire.socket.sendall(STATUS * 100)
        except OSError:
            pass
        kept.append(wire)
    return len(kept), kept


def send_unfinished(path, connections, size):
    """Messages without an end; how many connections were told that this is too much."""
    kept, told = [], 0
    for _ in range(connections):
        wire = Wire(path)
        try:
            wire.send_bytes(b'{"method":"' + b"x" * size)
        except OSError:
            pass
        kept.append(wire)
    time.sleep(0.1)
    for wire in kept:
        wire.socket.setblocking(False)
        try:
            told += b"LimitExceeded" in wire.socket.recv(65536)
        except BlockingIOError:
            pass
    return told, kept


class FloodCase(RightsCase):
    def assert_bob_is_served(self):
        self.assert_status(self.emuctl("status", user=BOB), 0)
        self.assert_status(self.emuctl("run", "-a", "aarch64", "--", "true", user=BOB), 0)

    def memory(self):
        text = pathlib.Path(f"/proc/{self.emud.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) // 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.emud.pid}/fd"))


class Floods(FloodCase):
    def test_ten_thousand_connections(self):
        before = self.descriptors()
        share = min(2_500, raise_descriptor_limit() - 100)
        asked = served = 0
        with contextlib.ExitStack() as clients:
            while asked < 10_000:
                count = min(share, 10_000 - asked)
                given, reasons = clients.enter_context(another_user(ALICE, connect_often, self.emud.socket, count))
                self.assertEqual(reasons, {"LimitExceeded": count - given})
                served += given
                asked += count
            self.assertEqual((asked, served), (10_000, 256))
            self.assert_bob_is_served()
        self.assertRegex(self.emud.text(), r"user alice .* connected: refused: .*max-connections-per-user|"
                         r"user alice .* connected: refused: .*256 are open")
        self.assertLess(self.emud.text().count("connected: refused"), 60)  # one a second, with how many it stands for
        self.assert_bob_is_served()
        self.assertLessEqual(self.descriptors(), before + 2)

    def test_first_connection_is_accepted_when_others_have_all(self):
        small = self.start_emud("--max-connections", "20", "--max-connections-per-user", "20")
        with another_user(ALICE, connect_often, small.socket, 30) as (served, _):
            self.assertEqual(served, 20)
            self.assert_status(self.emuctl("status", user=BOB, emud=small), 0)

    def test_subordinate_users_are_their_owners(self):
        pathlib.Path("/etc/subuid").write_text("bob:100000:65536\nalice:200000:65536\n", encoding="utf-8")
        small = self.start_emud("--max-connections-per-user", "10")
        with another_user(200_001, connect_often, small.socket, 8) as (served, _):
            self.assertEqual(served, 8)
            with another_user(265_535, connect_often, small.socket, 8) as (served, reasons):
                self.assertEqual((served, reasons), (2, {"LimitExceeded": 6}))
            with another_user(265_536, connect_often, small.socket, 8) as (served, _):
                self.assertEqual(served, 8)

    def test_clients_that_never_read(self):
        before = self.memory()
        with another_user(ALICE, send_and_never_read, self.emud.socket, 40):
            self.assert_bob_is_served()
            self.assertLess(self.memory(), before + 200)

    def test_unfinished_messages_are_bounded_for_each_user(self):
        before = self.memory()
        with another_user(ALICE, send_unfinished, self.emud.socket, 40, 6 << 20) as told:
            self.assertGreaterEqual(told, 25)  # 64 MiB are 10 of them
            self.assert_bob_is_served()
            self.assertLess(self.memory(), before + 200)

    def test_requests_of_a_second_are_counted(self):
        slow = self.start_emud("--requests-per-second-per-user", "50")

        def count(path, seconds):
            end, calls = time.monotonic() + seconds, 0
            with Wire(path) as wire:
                while time.monotonic() < end:
                    wire.call("Release", {"lease": "none"})
                    calls += 1
            return calls

        calls = as_user(ALICE, count, slow.socket, 2)
        self.assertLessEqual(calls, 3 * 50 + 5)  # those of a second saved up, and of the two seconds
        self.assertGreaterEqual(calls, 50)
        self.assertLess(as_user(BOB, count, slow.socket, 0.1), 60)  # his own, all saved up

    def test_refusals_do_not_fill_the_log(self):
        slow = self.start_emud("--requests-per-second-per-user", "100")

        def provoke(path, seconds):
            end = time.monotonic() + seconds
            with Wire(path) as wire:
                while time.monotonic() < end:
                    try:
                        wire.call("Register", {"architectures": ["aarch64"]})
                    except WireError:
                        pass

        as_user(ALICE, provoke, slow.socket, 2)
        self.assertLess(slow.text().count("Register: refused"), 20)


class Descriptors(FloodCase):
    """What a descriptor can do to a process that only holds and closes it."""

    def pass_descriptor(self, fd):
        """What emud says to a GetStatus that comes with this descriptor."""
        with Wire(self.emud.socket) as wire:
            wire.send("GetStatus", {}, [fd])
            answer = wire.receive()
        return answer and answer[0]

    def test_file_whose_server_never_answers(self):
        self.require(os.path.exists("/dev/fuse"), "no /dev/fuse")
        started = time.monotonic()

        def open_and_pass(path, count):
            messages = []
            for _ in range(count):
                messages.append(self.pass_descriptor(os.open(path, os.O_RDWR)))
            return messages, None

        directory = self.temporary_directory()
        directory.chmod(0o755)
        with HostileFile(directory) as hostile:
            with another_user(ALICE, open_and_pass, hostile.path, 20) as messages:
                try:
                    self.assertIn("FUSE", messages[0]["parameters"]["reason"])
                    self.assertIn("--rootless", messages[0]["parameters"]["hint"])
                    self.assertIn("cannot be closed yet", messages[-1]["parameters"]["reason"])
                    self.assert_bob_is_served()
                    closers = [line for line in processes().values() if "emud" in line]
                    self.assertLess(len(closers), 20, closers)
                finally:
                    hostile.abort()
        self.assertLess(time.monotonic() - started, 2 * SECONDS_TO_END)
        while self.emuctl("status").returncode != 0:  # alice is served again when all are closed
            self.assertLess(time.monotonic() - started, 4 * SECONDS_TO_END)

    def test_socket_that_lingers(self):
        with lingering_socket(seconds=60) as (fd, close):
            message = self.pass_descriptor(fd)
            close()  # emud's copy was the last, if it still has one
            started = time.monotonic()
            self.assertIn("SO_LINGER", message["parameters"]["reason"])
            self.assert_bob_is_served()
            self.assertLess(time.monotonic() - started, SECONDS_TO_END)

    def hide(self, kind, fd):
        """A socket in whose queue that descriptor waits, with no byte beside it where the kind allows that; and what to close."""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        if kind == "listener":
            path = self.temporary_directory() / "socket"
            outer = socket.socket(socket.AF_UNIX)
            outer.bind(str(path))
            outer.listen()
            inner = socket.socket(socket.AF_UNIX)
            inner.connect(str(path))
            inner.sendmsg([b"x"], rights)
        else:
            outer, inner = socket.socketpair(socket.AF_UNIX, kind)
            inner.sendmsg([b"x" if kind == socket.SOCK_STREAM else b""], rights)
        return outer, inner

    def test_sockets_with_descriptors_in_their_queues(self):
        for kind in socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, socket.SOCK_STREAM, "listener":
            with self.subTest(kind=kind), lingering_socket(seconds=60) as (fd, close):
                outer, inner = self.hide(kind, fd)
                message = self.pass_descriptor(outer.fileno())
                started = time.monotonic()
                outer.close()
                inner.close()
                close()
                self.assertNotIn("error", message)
                self.assert_bob_is_served()
                self.assertLess(time.monotonic() - started, SECONDS_TO_END)

    def test_descriptor_queued_after_the_socket_was_taken(self):
        slow = self.start_emud("--requests-per-second-per-user", "5")
        with lingering_socket(seconds=60) as (fd, close), Wire(slow.socket) as wire:
            outer, inner = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            for _ in range(3):
                wire.call("GetStatus")  # in debt from now on: the next call waits for its turn
            wire.send("GetStatus", {}, [outer.fileno()])
            time.sleep(0.2)
            inner.sendmsg([b""], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
            outer.close()
            inner.close()
            close()
            started = time.monotonic()
            self.assertIsNotNone(wire.receive())
            self.assert_status(self.emuctl("status", user=BOB, emud=slow), 0)
            self.assertLess(time.monotonic() - started, SECONDS_TO_END)

    def test_descriptor_beside_an_urgent_byte(self):
        with lingering_socket(seconds=60) as (fd, close), Wire(self.emud.socket) as wire:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
            try:
                wire.socket.sendmsg([b" "], rights, socket.MSG_OOB)
            except OSError as error:
                self.skipTest(f"the kernel has no urgent bytes for AF_UNIX: {error}")
            close()
            with contextlib.suppress(OSError):
                wire.send_bytes(STATUS)
            started = time.monotonic()
            self.assert_bob_is_served()
            self.assertLess(time.monotonic() - started, SECONDS_TO_END)

    def test_descriptors_left_in_the_queue(self):
        with lingering_socket(seconds=60) as (fd, close):
            wires = [Wire(self.emud.socket) for _ in range(3)]
            for wire in wires:
                wire.send_bytes(b"no Varlink\0")
                wire.send_bytes(b"x", [fd])
                wire.close()
            close()
            started = time.monotonic()
            self.assert_bob_is_served()
            self.assertLess(time.monotonic() - started, SECONDS_TO_END)

    def test_descriptors_are_bounded_for_each_user(self):
        before = self.descriptors()

        def send(path):
            kept = []
            null = os.open("/dev/null", os.O_RDONLY)
            for _ in range(100):
                wire = Wire(path)
                for _ in range(2):
                    try:
                        wire.send_bytes(b" ", [null] * 120)
                    except OSError:
                        pass
                kept.append(wire)
            return len(kept), kept

        with another_user(ALICE, send, self.emud.socket):
            self.assert_bob_is_served()
            self.assertLess(self.descriptors(), before + 2048 + 300)


if __name__ == "__main__":
    main()
