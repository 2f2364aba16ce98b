"""A thousand leases, acquired and released by fifty clients at once, private and host mixed: every count is right at every moment,
and emud is at the end as it was at the beginning."""

import collections
import mmap
import multiprocessing
import threading

from essentials import *
from wire_client import *

CLIENTS, ROUNDS = 50, int(os.environ.get("EMUD_TEST_ROUNDS", "20"))
ARCHITECTURES = ("aarch64", "riscv64")
# What client n takes in round r is the one at (n + r) % 4: half of them are private.
WANTED = (("private", ("aarch64",)), ("host", ("aarch64",)), ("private", ("aarch64", "riscv64")), ("host", ("aarch64", "riscv64")))
# What a client has done, counted: it adds to the first before it asks, to the second when it has been answered, and so on.
ASKS, HOLDS, LETS_GO, IS_RID = range(4)


def shares():
    """Each kind of promise that is counted: an architecture in the host scope, and all private leases."""
    return (*ARCHITECTURES, "private")


class Ledger:
    """Shared by all clients, each of which writes its own cells only. Whoever adds up a column before he looks at emud gets no
    more than what is true when he looks, and afterwards no less."""

    def __init__(self):
        self.cells = memoryview(mmap.mmap(-1, 8 * CLIENTS * len(shares()) * 4)).cast("q")

    def cell(self, client, share, column):
        return (column * len(shares()) + shares().index(share)) * CLIENTS + client

    def add(self, client, held, column):
        for share in held:
            self.cells[self.cell(client, share, column)] += 1

    def sums(self, column):
        first = {share: self.cell(0, share, column) for share in shares()}
        return {share: sum(self.cells[at:at + CLIENTS]) for share, at in first.items()}


def hold(path, scope, architectures, fds):
    """A function that gives the lease back and returns when nothing of it is left."""
    wire = Wire(path)
    if scope == "host":
        lease = wire.call("Acquire", {"architectures": architectures})["lease"]
        keeper = None
    else:
        wire.send("Run", run_parameters(architectures=architectures, scope="private"), fds)
        message, got = wire.receive()
        if "error" in message:
            raise WireError(message["error"], message.get("parameters"))
        lease, keeper = message["parameters"]["lease"], got[0]

    def release():
        if keeper is not None:
            os.close(keeper)  # a command's lease lives as long as this
        wire.call("Release", {"lease": lease})
        wire.close()

    return release


def client(number, path, ledger, all_hold, all_are_rid):
    """One client's life, in a process of its own."""
    os.setgroups(CAROL.groups)
    os.setresgid(CAROL.uid, CAROL.uid, CAROL.uid)
    os.setresuid(CAROL.uid, CAROL.uid, CAROL.uid)
    fds = [os.open("/dev/null", os.O_RDWR), os.open("/", os.O_PATH)]
    try:
        for turn in range(ROUNDS):
            scope, architectures = WANTED[(number + turn) % len(WANTED)]
            held = architectures if scope == "host" else ("private",)
            ledger.add(number, held, ASKS)
            release = hold(path, scope, architectures, fds)
            ledger.add(number, held, HOLDS)
            for _ in range(2):  # the main process looks between these
                all_hold.wait(SECONDS_TO_RUN)
            ledger.add(number, held, LETS_GO)
            release()
            ledger.add(number, held, IS_RID)
            if turn % 2 == 1:  # after the other rounds whoever is quick asks while others still let go
                for _ in range(2):
                    all_are_rid.wait(SECONDS_TO_RUN)
    except BaseException:
        all_hold.abort()
        all_are_rid.abort()
        raise


class Many(TestCase):
    def setUp(self):
        super().setUp()
        self.emud = self.start_emud()
        # Once each: what is proved now, and all that emud loads with its first lease, is there before the first look.
        for scope, architectures in WANTED[2:]:
            words = [word for name in architectures for word in ("-a", name)]
            self.assert_status(self.emuctl("run", "--scope", scope, *words, "--", "true", user=CAROL), 0)

    def counts(self, shown):
        """As emud says: of each handler, and what the table of leases says in which state."""
        counted = {share: 0 for share in shares()}
        for handler in shown["handlers"]:
            counted[handler["architecture"]] = handler["leases"]
        table = collections.Counter()
        for lease in shown["leases"]:
            held = lease["architectures"] if lease["scope"] == "host" else ("private",)
            table.update((share, lease["state"] == "ready") for share in held)
        counted["private"] = table["private", True] + table["private", False]
        for share in ARCHITECTURES:  # one that is brought up or ends may hold the handler or not
            ready, others = table[share, True], table[share, False]
            self.assertTrue(ready <= counted[share] <= ready + others, f"{share}: {counted[share]}, {table}")
        return counted

    def look(self, wire):
        """One look at emud and the kernel, and what must be true of it whatever the clients do meanwhile."""
        held, rid = self.ledger.sums(HOLDS), self.ledger.sums(IS_RID)
        entries = handlers()
        counted = self.counts(wire.call("GetStatus"))
        let_go, asked = self.ledger.sums(LETS_GO), self.ledger.sums(ASKS)
        for share in shares():
            least, most = max(0, held[share] - let_go[share]), asked[share] - rid[share]
            self.assertTrue(least <= counted[share] <= most, f"{share}: {least} <= {counted[share]} <= {most}")
            if share == "private":
                continue
            if least > 0:
                self.assertIn(f"emud-{share}", entries)
            if most == 0:
                self.assertNotIn(f"emud-{share}", entries)

    def watch(self, stop, looks):
        try:
            with Wire(self.emud.socket) as wire:
                while not stop.is_set():
                    self.look(wire)
                    looks.append(None)
                    time.sleep(0.005)  # leaves emud and two processors to the clients
        except BaseException as error:  # pylint: disable=broad-except
            looks.append(error)
            self.all_hold.abort()
            self.all_are_rid.abort()

    def state(self):
        """Memory of its own in KiB, and the number of descriptors."""
        text = pathlib.Path(f"/proc/{self.emud.pid}/status").read_text()
        return int(text.split("RssAnon:")[1].split()[0]), len(os.listdir(f"/proc/{self.emud.pid}/fd"))

    def assert_all_hold(self, wire, turn):
        wanted = collections.Counter()
        for number in range(CLIENTS):
            scope, architectures = WANTED[(number + turn) % len(WANTED)]
            wanted.update(architectures if scope == "host" else ("private",))
        shown = wire.call("GetStatus")
        self.assertEqual(self.counts(shown), dict(wanted))
        self.assertEqual({lease["state"] for lease in shown["leases"]}, {"ready"})
        self.assertEqual(handlers(), [f"emud-{name}" for name in ARCHITECTURES])
        self.assertEqual(len(self.emud.leases()), CLIENTS)

    def assert_all_are_rid(self, wire):
        shown = wire.call("GetStatus")
        self.assertEqual((shown["leases"], shown["handlers"], handlers(), self.emud.leases()), ([], [], [], []))

    def settle_descriptors(self, wanted):
        """emud closes a connection after its client has."""
        deadline = time.monotonic() + SECONDS_TO_END
        while (found := self.state()[1]) != wanted and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual(found, wanted, os.listdir(f"/proc/{self.emud.pid}/fd"))

    def test_a_thousand_leases(self):
        processes_ = multiprocessing.get_context("fork")
        self.ledger = Ledger()
        self.all_hold, self.all_are_rid = (processes_.Barrier(CLIENTS + 1) for _ in range(2))
        before = self.state()[1]
        clients = [processes_.Process(target=client, args=(number, self.emud.socket, self.ledger, self.all_hold, self.all_are_rid))
                   for number in range(CLIENTS)]
        for process in clients:
            process.start()
        stop, looks, memory = threading.Event(), [], []
        watcher = threading.Thread(target=self.watch, args=(stop, looks))
        watcher.start()
        began = time.monotonic()
        try:
            with Wire(self.emud.socket) as wire:
                for turn in range(ROUNDS):
                    self.all_hold.wait(SECONDS_TO_RUN)
                    self.assert_all_hold(wire, turn)
                    memory.append(self.state()[0])
                    self.all_hold.wait(SECONDS_TO_RUN)
                    if turn % 2 == 1:
                        self.all_are_rid.wait(SECONDS_TO_RUN)
                        self.assert_all_are_rid(wire)
                        self.all_are_rid.wait(SECONDS_TO_RUN)
        except BaseException:
            self.all_hold.abort()
            self.all_are_rid.abort()
            raise
        finally:
            stop.set()
            watcher.join()
            for process in clients:
                process.join(SECONDS_TO_END)
            if looks and looks[-1] is not None:
                raise looks[-1]
        print(f"{CLIENTS * ROUNDS} leases in {time.monotonic() - began:.1f} s, {len(looks)} looks; memory of emud in each round, in "
              f"KiB: {memory}", file=sys.stderr)
        self.assertEqual({process.exitcode for process in clients}, {0})
        self.assertGreater(len(looks), ROUNDS)
        # Half a KiB kept of each lease since the second round would be 450.
        self.assertLess(memory[-1] - memory[1], CLIENTS * (ROUNDS - 2) / 4, "KiB since the second round")
        self.settle_descriptors(before)


if __name__ == "__main__":
    main()
