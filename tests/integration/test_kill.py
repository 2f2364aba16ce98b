"""Anything may be killed at any moment: nothing is left, and nobody else is disturbed."""

import json
import os
import pathlib
import random
import re
import resource
import signal
import socket
import subprocess
import sys
import time

from nix_support import *

RUNS = 20  # at once
ROUNDS = 5  # of runs without Nix: 100 kills of emuctl, keeper or command
KILLS_OF_EMUD = 100
RUN = ("run", "-a", "aarch64", "--")
# A daemon as they come: forked twice, in a session of its own, deaf to what asks it to end.
DAEMON = 'trap "" TERM HUP; (setsid sh -c "sleep 1001; sleep 1001" &); (setsid sleep 1002 &); echo ready; '


# Forks without end, within the limit of processes it is given. Says "ready" when it has reached that.
BOMB = """setsid perl -e '
  $| = 1;
  $SIG{TERM} = $SIG{HUP} = "IGNORE";
  while (1) { defined(fork) or $told++ or print "ready\\n" }' & """


def seeded(name):
    """Random numbers that a failed run can be repeated with."""
    seed = int(os.environ.get("EMUD_TEST_SEED", random.randrange(1 << 32)))
    print(f"{name}: the random moments are those of EMUD_TEST_SEED={seed}", file=sys.stderr)
    return random.Random(seed)


def call(emud, method, parameters=None):
    """One Varlink call as root: the parameters of the answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(emud.socket))
        connection.sendall(json.dumps({"method": method, "parameters": parameters or {}}).encode() + b"\0")
        answer = b""
        while not answer.endswith(b"\0"):
            data = connection.recv(65536)
            if not data:
                raise AssertionError(f"emud hung up on {method}")
            answer += data
    return json.loads(answer[:-1])["parameters"]


def leases_of(emud):
    return {lease["id"]: lease for lease in call(emud, "io.emud.Manager.GetStatus")["leases"]}


def children(pid):
    try:
        return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def descriptors(process):
    """What its descriptors are open on, sorted."""
    targets = []
    for number in os.listdir(f"/proc/{process.pid}/fd"):
        try:
            targets.append(os.readlink(f"/proc/{process.pid}/fd/{number}"))
        except FileNotFoundError:
            continue  # closed meanwhile
    return sorted(re.sub(r"[0-9]+", "N", target) for target in targets)


def kill(pid):
    """False: there is no such process (any more)."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


class KillTestCase(TestCase):
    def start_run(self, *command, verb=RUN, **options):
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
        process = self.start_emuctl(*verb, *command, **options)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                self.addCleanup(stream.close)
        return process

    def assert_says(self, process, line):
        said = process.stdout.readline().strip()
        if said != line:
            process.kill()
            self.fail(f"{process.args} said {said!r}, not {line!r}: {process.stderr.read()}")

    def wait_for_leases(self, emud, wanted):
        """Until these are all that emud has: it ends a lease after its keeper has ended."""
        deadline = time.monotonic() + SECONDS_TO_END
        while (found := set(leases_of(emud))) != wanted:
            self.assertLess(time.monotonic(), deadline, f"leases {found}, not {wanted}")

    def idle_descriptors(self, emud):
        """Those it has when nobody is connected: the listening socket is the only one of its kind then."""
        deadline = time.monotonic() + SECONDS_TO_END
        while (found := descriptors(emud)).count("socket:[N]") > 1:
            self.assertLess(time.monotonic(), deadline, f"descriptors of emud: {found}")
        return found

    def assert_descriptors(self, emud, wanted):
        """emud closes a connection after its client has."""
        deadline = time.monotonic() + SECONDS_TO_END
        while (found := descriptors(emud)) != wanted:
            self.assertLess(time.monotonic(), deadline, f"descriptors of emud: {found}, not {wanted}")

    def keeper_of(self, emuctl, emud=None):
        """The pid of the keeper of that emuctl, or None while it has none."""
        if emud is None:
            return next(iter(children(emuctl.pid)), None)
        for record in (emud.runtime / "leases").glob("*/lease.json"):
            try:
                lease = json.loads(record.read_text())
            except (FileNotFoundError, NotADirectoryError):
                continue
            if lease["pid"] == emuctl.pid and lease["keeper"] > 0:
                return lease["keeper"]
        return None

    def command_of(self, keeper):
        """The pid of the command that the keeper runs (or of a probe), or None: not of its nix-daemon, nor of a child that may
        yet become that (it has the keeper's own command line until then)."""
        def line(pid):
            return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()

        for child in children(keeper):
            try:
                if b"nix-daemon" not in line(child) and line(child) != line(keeper):
                    return child
            except (FileNotFoundError, ProcessLookupError):
                pass
        return None

    def kill_at_random(self, generator, emud, begin, duration):
        """Starts RUNS commands that never end with begin(), and kills of each emuctl, keeper or command at a random moment of that
        duration (seconds)."""
        started = time.monotonic()
        moments = sorted((generator.uniform(0, duration), generator.choice(["emuctl", "keeper", "command"]), number)
                         for number in range(RUNS))
        clients = [begin() for _ in range(RUNS)]
        statuses = {}
        for moment, victim, number in moments:
            time.sleep(max(0, started + moment - time.monotonic()))
            client = clients[number]
            keeper = self.keeper_of(client, emud)
            command = self.command_of(keeper) if keeper and victim == "command" else None
            if victim == "keeper" and keeper and kill(keeper):
                statuses[client] = {125}
            elif command and kill(command):
                # What the keeper started may still be the probe, or may not yet have become the command.
                statuses[client] = {125, 137}
            else:
                client.kill()
                statuses[client] = {-9}
        for client, expected in statuses.items():
            try:
                status = client.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                client.kill()
                self.fail(f"emuctl has not ended, expected {expected}")
            self.assertIn(status, expected, client.stderr.read())


class RandomKills(KillTestCase, NixTestCase):
    def check_emud(self, begin, rounds=1):
        generator = seeded(self.id())
        emud = self.start_emud()
        self.assert_status(self.emuctl(*RUN, guest("hello-arm64")), 0)
        self.wait_for_leases(emud, set())
        before, descriptors_before = processes(), self.idle_descriptors(emud)
        for _ in range(rounds):
            self.kill_at_random(generator, emud, begin, 3)
            self.assertEqual(processes_left(before), {}, "processes are left")
            self.wait_for_leases(emud, set())
            self.assertEqual(emud.leases(), [])
            self.assert_descriptors(emud, descriptors_before)
        self.assert_status(self.emuctl(*RUN, guest("hello-arm64")), 0)

    def test_runs(self):
        self.check_emud(lambda: self.start_run(guest("tree"), "2"), ROUNDS)

    def test_builds(self):
        folder = self.project(derivation("long", "tree"))
        expressions = iter(range(RUNS))

        def begin():
            name = folder / f"{next(expressions)}.nix"
            name.write_text(expression(derivation(name.stem, "tree")))
            return self.start_run("--no-out-link", name, verb=("build", "-a", "aarch64", "--"), cwd=folder)

        self.check_emud(begin)
        self.assert_status(self.nix_store("--verify", "--check-contents"), 0)

    def test_rootless(self):
        verb = ("run", "--rootless", "-a", "aarch64", "--")
        self.assert_status(self.emuctl(*verb, guest("hello-arm64")), 0)
        files = [sorted(pathlib.Path(root).rglob("*")) for root in (ALICE.home, f"/run/user/{ALICE.uid}")]
        self.kill_at_random(seeded(self.id()), None, lambda: self.start_run(guest("tree"), "2", verb=verb), 3)
        self.assertEqual(processes_left(self.processes_before), {}, "processes are left")
        left = [sorted(pathlib.Path(root).rglob("*")) for root in (ALICE.home, f"/run/user/{ALICE.uid}")]
        self.assertEqual(left, files, "files are left")


class Rootless(KillTestCase):
    def test_emuctl_and_keeper(self):
        """At the same moment: the PID namespace ends the rest, root's as well."""
        for user in (ALICE, ROOT):
            with self.subTest(user.name):
                run = self.start_run("sh", "-c", DAEMON + f"exec {guest('tree')} 2", verb=("run", "--rootless", "-a", "aarch64", "--"), user=user)
                self.assert_says(run, "ready")
                keeper = self.keeper_of(run)
                for number in (signal.SIGSTOP, signal.SIGKILL):
                    for pid in (run.pid, keeper):
                        os.kill(pid, number)
                self.assertEqual(run.wait(SECONDS_TO_END), -9)
                self.assertEqual(processes_left(self.processes_before, a_second()), {})


class RootlessWithTheMachinesStore(KillTestCase, NixTestCase):
    """Single-user Nix, rootless: no PID namespace ends the processes."""

    owner = ALICE

    def test_keeper(self):
        build = self.start_build(self.project(derivation("long", "tree")), options=("--rootless", "-a", "aarch64"))
        self.wait_for_line(build, "building")
        self.assertTrue(kill(self.keeper_of(build)))
        self.assertEqual(build.wait(SECONDS_TO_END), 125)
        self.assertEqual(processes_left(self.processes_before, a_second()), {})


class EmudKilled(KillTestCase, NixTestCase):
    def test_random_moments(self):
        generator = seeded(self.id())
        emud = self.start_emud()
        self.assert_status(self.emuctl(*RUN, guest("hello-arm64")), 0)
        began = time.monotonic()
        self.assert_status(self.emuctl(*RUN, guest("exit-with"), "7"), 7)
        duration = 3 * (time.monotonic() - began)
        statuses = []
        running = None
        for number in range(KILLS_OF_EMUD):
            if number % 10 == 0:
                running = self.start_run("sh", "-c", f"{guest('hello-arm64')} && read line && exit 7")
                self.assert_says(running, "hello from aarch64")
            short = [self.start_run(guest("exit-with"), "7") for _ in range(2)]
            time.sleep(generator.uniform(0, duration))
            emud.kill()
            for client in short:
                statuses.append(client.wait(SECONDS_TO_END))
                self.assertIn(statuses[-1], (7, 125))
                said = client.stderr.read()
                self.assertEqual("emuctl:" in said, statuses[-1] == 125, said)
            emud.start()
            lease = next(iter(lease for lease in leases_of(emud).values() if lease["pid"] == running.pid))
            self.assertEqual((lease["state"], lease["scope"], lease["uid"]), ("ready", "private", ALICE.uid))
            self.wait_for_leases(emud, {lease["id"]})
            self.assertEqual(emud.leases(), [lease["id"]])
            if number % 10 == 9:
                running.stdin.write("\n")
                running.stdin.flush()
                self.assertEqual(running.wait(SECONDS_TO_END), 7)
                self.wait_for_leases(emud, set())
                self.assertEqual(processes_left(self.processes_before | {emud.pid: ""}), {})
        self.assertGreater(statuses.count(7), 0, "no run was far enough")
        self.assertGreater(statuses.count(125), 0, "no run was cut off")

    def test_build_goes_on(self):
        emud = self.start_emud()
        gate = Gate("gate")
        build = self.start_build(self.project(derivation("gated", "gate", arguments=[gate.path])))
        self.wait_for_line(build, "building")
        for _ in range(3):
            emud.kill()
            emud.start()
        emud.kill()
        gate.open()
        self.assertEqual(self.facts(subprocess.CompletedProcess(
            build.args, build.wait(SECONDS_TO_RUN), build.stdout.read(), build.stderr.read()))["machine"], ["aarch64"])
        emud.start()
        self.assertEqual(leases_of(emud), {})

    def test_with_everything_else(self):
        """emud, emuctl and the keeper at once: the next emud finds what is left."""
        emud = self.start_emud()
        run = self.start_run(guest("tree"), "4")
        self.assert_says(run, "ready")
        keeper = self.keeper_of(run, emud)
        os.kill(emud.pid, signal.SIGSTOP)
        run.kill()
        kill(keeper)
        emud.kill()
        run.wait()
        emud.start()
        self.assertEqual(processes_left(self.processes_before | {emud.pid: ""}, a_second()), {})
        self.wait_for_leases(emud, set())
        self.assertEqual(emud.leases(), [])

    def test_terminated(self):
        """SIGTERM: private leases go on; the host leases of connections end, and their handlers go, before emud does."""
        emud = self.start_emud()
        run = self.start_run("sh", "-c", f"{guest('hello-arm64')} && read line && exec {guest('exit-with')} 7")
        self.assert_says(run, "hello from aarch64")
        lease = self.start_run(verb=("lease", "aarch64"), user=CAROL)
        self.assert_says(lease, "ready")
        self.assertEqual(handlers(), ["emud-aarch64"])
        self.assertEqual(emud.stop(), 0)
        self.assertEqual(handlers(), [])
        self.assertEqual(lease.wait(SECONDS_TO_END), 1)
        self.assertEqual(len(emud.leases()), 1)
        emud.start()
        self.assertEqual(len(leases_of(emud)), 1)
        self.assertEqual(emud.stop(), 0)
        run.stdin.write("\n")
        run.stdin.flush()
        self.assertEqual(run.wait(SECONDS_TO_END), 7)
        self.assertEqual(processes_left(self.processes_before), {})
        self.assertEqual(emud.leases(), [])

    def test_host_lease(self):
        """What an emud that was killed left registered is removed by the next one."""
        emud = self.start_emud()
        lease = self.start_run(verb=("lease", "aarch64"), user=CAROL)
        self.assert_says(lease, "ready")
        emud.kill()
        lease.kill()
        lease.wait(SECONDS_TO_END)
        self.assertEqual(handlers(), ["emud-aarch64"])
        emud.start()
        self.assertEqual(handlers(), [])
        self.assertEqual(leases_of(emud), {})


class Ends(KillTestCase):
    """Each way a lease ends takes every process down, within a second."""

    def end(self, *command, ending, emud, limit=None):
        before = processes()
        options = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))} if limit else {}
        run = self.start_run(*command, **options)
        self.assert_says(run, "ready")
        if ending == "emuctl":
            run.kill()
        elif ending == "keeper":
            self.assertTrue(kill(self.keeper_of(run, emud)))
        else:
            run.stdin.close()
        self.assertEqual(processes_left(before, a_second()), {}, f"processes are left after the end of {ending}")
        self.assertEqual(run.wait(SECONDS_TO_END), {"emuctl": -9, "keeper": 125, "command": 3}[ending])
        self.wait_for_leases(emud, set())
        self.assertEqual(emud.leases(), [])

    def check(self, cgroups):
        emud = self.start_emud()
        self.assertEqual("no cgroup v2 can be written" in emud.text(), not cgroups)
        self.assert_status(self.emuctl(*RUN, guest("hello-arm64")), 0)
        self.wait_for_leases(emud, set())
        descriptors_before = self.idle_descriptors(emud)
        for ending in ("emuctl", "keeper", "command"):
            with self.subTest(ending=ending):
                self.end("sh", "-c", DAEMON + f"{guest('tree')} 2 >/dev/null & read line; exit 3", ending=ending, emud=emud)
            with self.subTest(ending=ending, what="fork bomb"):
                self.end("sh", "-c", BOMB + "read line; exit 3", ending=ending, emud=emud, limit=40)
        self.assert_descriptors(emud, descriptors_before)

    def test_with_cgroups(self):
        self.require(os.environ.get("EMUD_TEST_CGROUP"), "no cgroup v2 can be written here")
        self.check(cgroups=True)

    def test_with_read_only_cgroups(self):
        root = os.environ.get("EMUD_TEST_CGROUP")
        if root:
            subprocess.run(["mount", "-o", "remount,bind,ro", root], check=True)
            self.addCleanup(subprocess.run, ["mount", "-o", "remount,bind,rw", root], check=True)
        self.check(cgroups=False)

    def test_with_hidden_cgroups(self):
        root = os.environ.get("EMUD_TEST_CGROUP") or "/sys/fs/cgroup"
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", root], check=True)
        self.addCleanup(subprocess.run, ["umount", root], check=True)
        self.before["cgroups"] = cgroups()
        self.addCleanup(lambda: self.assertEqual(cgroups(), []))
        self.check(cgroups=False)

    def test_adopted_without_cgroups(self):
        """The keeper of a lease that a restarted emud took over: its processes are nobody's children that emud knows."""
        root = os.environ.get("EMUD_TEST_CGROUP") or "/sys/fs/cgroup"
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", root], check=True)
        self.addCleanup(subprocess.run, ["umount", root], check=True)
        self.before["cgroups"] = cgroups()
        self.addCleanup(lambda: self.assertEqual(cgroups(), []))
        emud = self.start_emud()
        before = processes()
        run = self.start_run("sh", "-c", DAEMON + f"{guest('tree')} 2 >/dev/null & read line; exit 3")
        self.assert_says(run, "ready")
        emud.kill()
        emud.start()
        self.assertTrue(kill(self.keeper_of(run, emud)))
        self.assertEqual(run.wait(SECONDS_TO_END), 125)
        self.wait_for_leases(emud, set())
        self.assertEqual(processes_left(before | {emud.pid: ""}, a_second()), {})

    def test_background_process(self):
        self.start_emud()
        for options in ((), ("--rootless",)):
            with self.subTest(options=options):
                before = processes()
                ended = self.emuctl("run", *options, "-a", "aarch64", "--", "sh", "-c", "sleep 1000 & exit 3")
                left = {line for pid, line in processes().items() if pid not in before}
                self.assert_status(ended, 3)
                self.assertNotIn("sleep 1000", left)


if __name__ == "__main__":
    main()
