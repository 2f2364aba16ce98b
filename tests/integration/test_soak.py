"""Five hundred kills of emud, keepers, emuctl and commands, one after the other, while leases of each kind come and go: what is left
in the end, `emud --reconcile` takes away.

Each round's choices depend on the seed and its number only: EMUD_TEST_SEED=N repeats them, EMUD_TEST_ROUNDS=N does so many."""

import collections
import random
import select

from essentials import *
from test_kill import KillTestCase, kill, leases_of, seeded

ROUNDS = int(os.environ.get("EMUD_TEST_ROUNDS", "500"))
ROUNDS_BETWEEN_LOOKS = 25
VICTIMS = ("emud", "keeper", "emuctl", "command")
HELD = f"{guest('hello-arm64')} && exec {guest('tree')} 2"  # ends only when it is killed, and leaves two children that do not either
KINDS = {
    "private": (ALICE, ("run", "-a", "aarch64", "--", "sh", "-c", HELD)),
    "host": (CAROL, ("run", "--scope", "host", "-a", "aarch64", "--", "sh", "-c", HELD)),
    "lease": (CAROL, ("lease", "aarch64")),
}
CLIENTS = ("private", "host", "lease", "private", "host", "private")  # at the same time
# What they say of their end: killed by this test; their command or a probe was; emud or their keeper was.
STATUSES = {"private": {-9, 137, 125}, "host": {-9, 137, 125}, "lease": {-9, 1}}


class Soak(KillTestCase):
    def begin(self, kind):
        user, words = KINDS[kind]
        return self.start_emuctl(*words, user=user, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def end(self, place):
        client = self.clients[place]
        client.stdin.close()
        try:
            status_ = client.wait(3 * SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            client.kill()
            self.fail(f"{client.args} has not ended")
        self.assertIn(status_, STATUSES[CLIENTS[place]], client.args)
        self.ends[status_] += 1

    def round(self, generator):
        """One kill: of whom, and whether there was one to kill."""
        victim, place, pause = generator.choice(VICTIMS), generator.randrange(len(CLIENTS)), generator.uniform(0, 0.04)
        time.sleep(pause)
        client = self.clients[place]
        if victim == "emud":
            self.emud.kill()
            self.emud.start()
        elif victim == "emuctl":
            client.kill()
        else:
            keeper = self.keeper_of(client, self.emud)
            found = self.command_of(keeper) if keeper and victim == "command" else keeper
            if not found or not self.kill_and_note(found):
                return victim, False
        return victim, True

    def kill_and_note(self, pid):
        try:
            self.killed.append(os.pidfd_open(pid))
        except ProcessLookupError:
            return False
        return kill(pid)

    def wait_for_killed(self):
        """A keeper that has yet to die of its SIGKILL is none of those that a reconciliation could see the end of."""
        for pidfd in self.killed:
            self.assertTrue(select.select([pidfd], [], [], SECONDS_TO_END)[0], "a killed process has not ended")
            os.close(pidfd)
        self.killed = []

    def replace_ended(self):
        for place, client in enumerate(self.clients):
            if client.poll() is not None:
                self.end(place)
                self.clients[place] = self.begin(CLIENTS[place])

    def look(self):
        """Everybody is killed at once: nothing is left after a reconciliation, and the next emud has what the first had."""
        for client in self.clients:
            client.kill()
        self.emud.kill()
        for place in range(len(CLIENTS)):
            self.end(place)
        self.wait_for_killed()
        reconcile = [BIN_DIR / "emud", "--socket", self.emud.socket, "--state-dir", self.emud.state, "--runtime-dir", self.emud.runtime,
                     "--reconcile"]
        self.assert_status(run(reconcile), 0)
        # Keepers that still live end by themselves: their clients have gone.
        self.assertEqual(processes_left(self.processes_before), {}, "processes are left")
        self.assert_status(run(reconcile), 0)
        self.assertEqual((handlers(), self.emud.leases(), cgroups(), mounts()), ([], [], [], self.before["mounts"]))
        self.emud.start()
        self.assertEqual(leases_of(self.emud), {})
        self.assert_descriptors(self.emud, self.idle)
        self.clients = [self.begin(kind) for kind in CLIENTS]

    def test_random_kills(self):
        seed = seeded(self.id()).random()
        self.emud = self.start_emud("--kill-after", "0.2")
        for user, words in (ALICE, ("run",)), (CAROL, ("run", "--scope", "host")):
            self.assert_status(self.emuctl(*words, "-a", "aarch64", "--", guest("hello-arm64"), user=user), 0)
        self.wait_for_leases(self.emud, set())
        self.emud.kill()
        self.emud.start()
        leases_of(self.emud)  # it serves, and has all it needs for that
        self.idle = self.idle_descriptors(self.emud)
        self.ends, kills, missed = (collections.Counter() for _ in range(3))
        self.clients, self.killed = [self.begin(kind) for kind in CLIENTS], []
        began = time.monotonic()
        for number in range(ROUNDS):
            self.replace_ended()
            victim, hit = self.round(random.Random(f"{seed} {number}"))
            (kills if hit else missed)[victim] += 1
            if (number + 1) % ROUNDS_BETWEEN_LOOKS == 0 or number + 1 == ROUNDS:
                self.look()
        for client in self.clients:
            client.kill()
        for place in range(len(CLIENTS)):
            self.end(place)
        self.wait_for_leases(self.emud, set())
        print(f"{ROUNDS} rounds in {time.monotonic() - began:.0f} s: killed {dict(kills)}, too early for {dict(missed)}; clients ended with "
              f"{dict(self.ends)}", file=sys.stderr)
        if ROUNDS >= 100:
            self.assertEqual(set(kills), set(VICTIMS))


if __name__ == "__main__":
    main()
