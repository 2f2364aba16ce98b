"""emud is killed, restarted, upgraded: what is held stays up without a gap, what nobody holds goes."""

import json

from essentials import *
from wire_client import *

ENTRY = "emud-aarch64"


class RecoveryCase(HolderCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(lambda: [unregister_by_hand(name) for name in handlers()])
        self.emud = self.make_emud()

    def make_emud(self, *options):
        return self.start_emud(*options)

    def leases(self):
        return {one["id"]: one for one in status(self.emud)["leases"]}

    def wait_for(self, condition, what):
        deadline = time.monotonic() + SECONDS_TO_END
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"{what}: {self.leases()}, {handlers()}")
            time.sleep(0.01)

    def wait_for_states(self, *wanted):
        self.wait_for(lambda: sorted(one["state"] for one in self.leases().values()) == sorted(wanted), wanted)

    def reconcile(self, *options):
        return run([BIN_DIR / "emud", "--socket", self.emud.socket, "--state-dir", self.emud.state, "--runtime-dir",
                    self.emud.runtime, *options, "--reconcile"])


class HostLeases(RecoveryCase):
    def check_restart(self, end):
        processes = [self.hold("arm64"), self.hold("arm64", "riscv64", user=ROOT)]
        before, text = set(self.leases()), entry(ENTRY)
        with HostWatch() as host:
            end()
            self.assertEqual(handlers(), [ENTRY, "emud-riscv64"])
            self.emud.start()
            self.wait_for_states("ready", "ready")
            self.assertFalse(host.has_seen(), "a handler flapped")
        self.assertEqual(set(self.leases()), before)
        self.assertEqual(entry(ENTRY), text)
        self.assertEqual({one["architecture"]: one["leases"] for one in status(self.emud)["handlers"]},
                         {"aarch64": 2, "riscv64": 1})
        self.release(processes[1])
        self.assertEqual(handlers(), [ENTRY])
        self.release(processes[0])
        self.assertEqual(handlers(), [])

    def test_killed(self):
        self.check_restart(self.emud.kill)

    def test_handed_over(self):
        self.check_restart(lambda: self.assertEqual(self.emud.end(signal.SIGUSR2), 0))

    def test_many_restarts(self):
        process = self.hold("arm64")
        with HostWatch() as host:
            for _ in range(10):
                self.emud.kill()
                self.emud.start()
            self.wait_for_states("ready")
            self.assertFalse(host.has_seen(), "a handler flapped")
        self.release(process)
        self.assertEqual(handlers(), [])

    def test_stopped(self):
        """SIGTERM is for good: nobody waits for a next emud."""
        process = self.hold("arm64")
        self.assertEqual(self.emud.stop(), 0)
        self.assertEqual(handlers(), [])
        _, err = process.communicate(timeout=SECONDS_TO_END)
        self.assertEqual(process.returncode, 1)
        self.assertIn("could not be resumed", err)
        self.emud.start()

    def test_holder_dies_while_emud_is_down(self):
        process = self.hold("arm64")
        self.emud.kill()
        process.kill()
        process.communicate()
        self.assertEqual(handlers(), [ENTRY])
        self.emud.start()
        self.assertEqual((handlers(), self.leases()), ([], {}))

    def test_end_of_input_while_emud_is_down(self):
        process = self.hold("arm64")
        self.emud.kill()
        process.stdin.close()
        process.stdin = None
        self.assertEqual(process.wait(SECONDS_TO_END), 0)
        process.communicate()
        self.emud.start()
        self.assertEqual((handlers(), self.leases()), ([], {}))

    def test_command_in_the_host_scope(self):
        run_ = self.start_emuctl("run", "--scope", "host", "-a", "arm64", "--", "sh", "-c",
                                 f"echo ready; read line; {guest('hello-arm64')}; exit 7", user=CAROL, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(run_.stdout.readline(), "ready\n")
        with HostWatch() as host:
            self.emud.kill()
            self.emud.start()
            self.wait_for_states("ready")
            self.emud.kill()
            self.assertFalse(host.has_seen(), "a handler flapped")
        run_.stdin.write("\n")
        run_.stdin.flush()
        self.assertEqual(run_.stdout.readline(), "hello from aarch64\n")
        self.emud.start()  # while emuctl waits for its lease to be gone
        out, err = run_.communicate(timeout=SECONDS_TO_RUN)
        self.assertEqual((run_.returncode, out, err), (7, "", ""))
        self.assertEqual(handlers(), [])
        self.wait_for_states()


class Resuming(RecoveryCase):
    """The holder is this process."""

    def make_emud(self):
        return self.start_emud("--reconnect-seconds", "60")

    def acquire(self, wire, **parameters):
        return wire.call("Acquire", {"architectures": ["aarch64"]} | parameters)["lease"]

    def restart(self):
        self.emud.kill()
        self.emud.start()

    def assert_refused(self, error, function, *arguments):
        with self.assertRaises(WireError) as raised:
            function(*arguments)
        self.assertEqual(raised.exception.name, error)

    def resume(self, lease):
        with Wire(self.emud.socket) as wire:
            wire.call("Acquire", {"architectures": [], "resume": lease})

    def test_only_the_holder_resumes(self):
        with Wire(self.emud.socket) as wire:
            lease = self.acquire(wire)
            self.assert_refused("Busy", self.resume, lease)
            self.restart()
        self.assertEqual(self.leases()[lease]["state"], "reconnecting")
        self.assertEqual(handlers(), [ENTRY])
        for user in CAROL, ROOT:  # another user; the same user's other process
            self.assert_refused("PermissionDenied", as_user, user, self.resume, lease)
        for odd in "00000000", "../../etc", "":
            self.assert_refused("NotFound", self.resume, odd)
        with Wire(self.emud.socket) as wire:
            self.assertEqual(wire.call("Acquire", {"architectures": [], "resume": lease})["lease"], lease)
            self.assertEqual(self.leases()[lease]["state"], "ready")
        self.wait_for(lambda: handlers() == [], "the connection has ended")

    def test_a_lease_that_waits_can_be_released(self):
        with Wire(self.emud.socket) as wire:
            lease = self.acquire(wire)
            self.restart()
        with Wire(self.emud.socket) as wire:
            wire.call("Release", {"lease": lease})
        self.assertEqual((handlers(), self.leases()), ([], {}))
        self.assert_refused("NotFound", self.resume, lease)

    def test_patience_ends(self):
        with Wire(self.emud.socket) as wire:
            lease = self.acquire(wire)
            self.emud.kill()
        self.emud.options = ("--reconnect-seconds", "1")
        self.emud.start()
        self.assertEqual(handlers(), [ENTRY])
        self.wait_for(lambda: handlers() == [], "the time is over")
        self.assert_refused("NotFound", self.resume, lease)
        self.assertIn("has not come back", self.emud.text())

    def test_connection_that_outlives_its_process(self):
        """A child that inherits the connection does not inherit the lease."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            wire = Wire(self.emud.socket)
            self.acquire(wire)
            if os.fork() == 0:
                os.close(reader)
                time.sleep(SECONDS_TO_RUN)
            os._exit(0)
        os.close(writer)
        os.waitpid(child, 0)
        self.wait_for(lambda: handlers() == [] and self.leases() == {}, "the holder has ended")
        for pid, line in processes().items():
            if pid not in self.processes_before and pid not in (self.emud.pid, os.getpid()):
                os.kill(pid, signal.SIGKILL)
        os.close(reader)


class Records(RecoveryCase):
    def test_pin_comes_back(self):
        self.assert_status(self.emuctl("register", "arm64", user=CAROL), 0)
        self.emud.kill()
        unregister_by_hand(ENTRY)
        self.emud.start()
        self.assertEqual(handlers(), [ENTRY])
        self.assertEqual(run([guest("hello-arm64")], ALICE).stdout, "hello from aarch64\n")
        self.assert_status(self.emuctl("unregister", "arm64", user=CAROL), 0)
        self.assertEqual(handlers(), [])

    def test_broken_and_lost_records(self):
        self.assert_status(self.emuctl("register", "arm64", "riscv64", user=CAROL), 0)
        self.emud.kill()
        (self.emud.runtime / "handlers/aarch64.json").write_text('{"pinned": "yes"')
        (self.emud.runtime / "handlers/riscv64.json").unlink()
        (self.emud.runtime / "handlers/nonsense.json").write_text("{}")
        broken = self.emud.runtime / "leases/0badbad0"
        broken.mkdir(parents=True)
        (broken / "lease.json").write_text("[")
        self.emud.start()
        self.assertEqual((handlers(), self.leases(), self.emud.leases()), ([], {}, []))

    def test_broken_record_of_a_running_lease(self):
        self.require(os.environ.get("EMUD_TEST_CGROUP"), "without a cgroup nothing but the record tells whose a process is")
        running = self.start_emuctl("run", "-a", "aarch64", "--", "sh", "-c", "echo ready; exec sleep 1000",
                                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(running.stdout.close)
        expect_line(running.stdout, "ready")
        self.emud.kill()
        (record,) = (self.emud.runtime / "leases").glob("*/lease.json")
        record.write_text("[")
        self.emud.start()
        self.assertIn(running.wait(SECONDS_TO_END), (125, 137))  # the keeper may be able to say that the command was killed
        self.wait_for(lambda: self.leases() == {} and cgroups() == self.before["cgroups"], "the lease has ended")
        self.assertEqual(self.emud.leases(), [])

    def test_foreign_entry_of_the_same_name_stays(self):
        """It has not an emulator of this emud's store."""
        self.emud.kill()
        text = register_by_hand(ENTRY, AARCH64_MAGIC)
        self.addCleanup(lambda: ENTRY in handlers() and unregister_by_hand(ENTRY))
        self.emud.start()
        self.assertEqual(entry(ENTRY), text)
        done = self.emuctl("register", "arm64", user=CAROL)
        self.assert_status(done, 1)
        self.assertIn(ENTRY, done.stderr)
        self.assertEqual(entry(ENTRY), text)

    def test_processes_without_a_record(self):
        self.require(os.environ.get("EMUD_TEST_CGROUP"), "no cgroup v2 can be written here")
        run_ = self.start_emuctl("run", "-a", "aarch64", "--", guest("tree"), "3", stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, text=True)
        expect_line(run_.stdout, "ready")
        self.emud.kill()
        shutil.rmtree(self.emud.runtime / "leases")
        self.assertNotEqual(cgroups(), self.before["cgroups"])
        self.emud.start()
        self.wait_for(lambda: cgroups() == self.before["cgroups"], "the cgroup is gone")
        run_.communicate(timeout=SECONDS_TO_END)

    def test_second_emud_with_the_same_directory(self):
        process = self.hold("arm64")
        other = run([BIN_DIR / "emud", "--socket", self.emud.directory / "other", "--state-dir", self.emud.state,
                     "--runtime-dir", self.emud.runtime])
        self.assertEqual(other.returncode, 1)
        self.assertIn("another emud uses this runtime directory", other.stderr)
        self.assertEqual(handlers(), [ENTRY])
        self.release(process)

    def test_second_emud_with_directories_of_its_own(self):
        """Its leases and cgroups are not the first one's business."""
        run_ = self.start_emuctl("run", "-a", "aarch64", "--", "sh", "-c", "echo ready; read line; exit 7",
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        expect_line(run_.stdout, "ready")
        self.start_emud()
        run_.communicate("\n", SECONDS_TO_RUN)
        self.assertEqual(run_.returncode, 7)


class Reconcile(RecoveryCase):
    def test_while_emud_runs(self):
        process = self.hold("arm64")
        done = self.reconcile()
        self.assertEqual(done.returncode, 1)
        self.assertIn("another emud", done.stderr)
        self.assertEqual(handlers(), [ENTRY])
        self.release(process)

    def test_after_a_crash(self):
        """What is held or pinned stays for the next emud; what is not goes."""
        self.assert_status(self.emuctl("register", "arm", user=CAROL), 0)
        alive, dead = self.hold("arm64"), self.hold("riscv64")
        private = self.start_emuctl("run", "-a", "aarch64", "--", "sh", "-c", "echo ready; read line; exit 7",
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        expect_line(private.stdout, "ready")
        self.emud.kill()
        dead.kill()
        dead.communicate()
        with HostWatch() as host:
            self.assert_status(self.reconcile(), 0)
            self.assertEqual(handlers(), [ENTRY, "emud-arm"])
            self.assertTrue(host.has_seen())
            self.assert_status(self.reconcile(), 0)
            self.assertFalse(host.has_seen(), "the second time there was nothing to do")
        self.emud.start()
        self.wait_for_states("ready", "ready")
        private.communicate("\n", SECONDS_TO_RUN)
        self.assertEqual(private.returncode, 7)
        self.release(alive)
        self.assert_status(self.emuctl("unregister", "--all", user=CAROL), 0)
        self.assertEqual(handlers(), [])

    def test_after_a_stop(self):
        self.emud.stop()
        self.assert_status(self.reconcile(), 0)
        self.assertEqual(handlers(), [])
        self.emud.start()


class Lingering(RecoveryCase):
    def make_emud(self):
        return self.start_emud("--linger", "2")

    def test_leases_in_a_row_do_not_flap(self):
        self.release(self.hold("arm64"))
        self.assertEqual(handlers(), [ENTRY])
        (shown,) = status(self.emud)["handlers"]
        self.assertEqual((shown["state"], shown["leases"]), ("lingering", 0))
        self.assertIn("lingers", self.emuctl("status").stdout)
        with HostWatch() as host:
            self.release(self.hold("arm64"))
            self.assertFalse(host.has_seen(), "it flapped")
        self.wait_for(lambda: handlers() == [], "the time is over")

    def test_what_lingers_goes_with_emud(self):
        for end in self.emud.stop, self.emud.kill:
            self.release(self.hold("arm64"))
            end()
            self.emud.start()
            self.assertEqual(handlers(), [])

    def test_pinned_meanwhile(self):
        self.release(self.hold("arm64"))
        self.assert_status(self.emuctl("register", "arm64", user=CAROL), 0)
        time.sleep(2.5)
        self.assertEqual(handlers(), [ENTRY])
        self.assert_status(self.emuctl("unregister", "arm64", user=CAROL), 0)
        self.assertEqual(handlers(), [])


class Cancelling(RecoveryCase):
    def make_emud(self):
        return self.start_emud("--kill-after", "2")

    def cancel(self, script):
        run_ = self.start_emuctl("run", "-a", "aarch64", "--", "sh", "-c", script, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        expect_line(run_.stdout, "ready")
        (lease,) = self.leases()
        began = time.monotonic()
        with Wire(self.emud.socket) as wire:
            wire.call("Cancel", {"lease": lease})
        took = time.monotonic() - began
        self.assertEqual(self.leases(), {})
        _, err = run_.communicate(timeout=SECONDS_TO_END)
        return run_.returncode, err, took

    def test_command_may_end_in_good_order(self):
        note = self.temporary_directory(ALICE) / "note"
        status_, err, took = self.cancel(f'trap "echo ended >{note}; exit 9" TERM; echo ready; while :; do sleep 0.01; done')
        self.assertEqual(status_, 125)
        self.assertIn("was cancelled", err)
        self.assertEqual(note.read_text(), "ended\n")
        self.assertLess(took, 2)

    def test_deaf_command_is_killed(self):
        status_, err, took = self.cancel('trap "" TERM; (setsid sleep 1000 &); echo ready; while :; do sleep 0.01; done')
        self.assertEqual(status_, 125)
        self.assertIn("was cancelled", err)
        self.assertGreaterEqual(took, 2)

    def test_client_gone(self):
        run_ = self.start_emuctl("run", "-a", "aarch64", "--", "sh", "-c",
                                 'trap "sleep 0.5; echo done; exit" TERM; echo ready; while :; do sleep 0.01; done',
                                 stdout=subprocess.PIPE, text=True)
        expect_line(run_.stdout, "ready")
        run_.kill()
        self.assertEqual(run_.stdout.readline(), "done\n")
        run_.communicate()
        self.wait_for(lambda: self.leases() == {}, "the command has ended")


if __name__ == "__main__":
    main()
