"""emud under socket activation: it ends when idle, and the next call finds everything as it was."""

import json

from activation import *
from wire_client import *

RUN = ("run", "-a", "aarch64", "--")


class Activation(TestCase):
    def start_emud(self, *options):
        emud = ActivatedEmud(*options)
        self.emuds.append(emud)
        self.addCleanup(self.end_emud, emud)
        return emud.start()

    def wait_for_exit(self, emud):
        self.assertEqual(emud.process.wait(SECONDS_TO_RUN), 0)

    def assert_stays(self, emud, seconds):
        with self.assertRaises(subprocess.TimeoutExpired):
            emud.process.wait(seconds)

    def call(self, emud, *arguments, **options):
        """An emuctl for which emud is started, as systemd would do it."""
        client = self.start_emuctl(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
        emud.start_when_called()
        out, err = client.communicate(timeout=SECONDS_TO_RUN)
        return subprocess.CompletedProcess(arguments, client.returncode, out, err)

    def test_idle_emud_ends_and_comes_back(self):
        emud = self.start_emud("--idle-exit", "1")
        self.wait_for_exit(emud)
        for _ in range(2):
            done = self.call(emud, *RUN, guest("hello-arm64"))
            self.assert_status(done, 0)
            self.assertEqual(done.stdout, "hello from aarch64\n")
            self.wait_for_exit(emud)
        self.assertIn("READY=1", "\n".join(emud.take_notifications()))

    def test_running_private_lease_is_found_again(self):
        emud = self.start_emud("--idle-exit", "1")
        run = self.start_emuctl(*RUN, "sh", "-c", f"{guest('hello-arm64')}; read line; exit 7", stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        self.assertEqual(run.stdout.readline(), "hello from aarch64\n")
        self.wait_for_exit(emud)
        shown = json.loads(self.call(emud, "status", "--json").stdout)["status"]["leases"]
        self.assertEqual([(lease["state"], lease["pid"]) for lease in shown], [("ready", run.pid)])
        run.communicate("\n", SECONDS_TO_RUN)
        self.assertEqual(run.returncode, 7)
        self.wait_for_exit(emud)
        self.assertEqual(emud.leases(), [])

    def test_handlers_keep_it_running(self):
        emud = self.start_emud("--idle-exit", "1")
        lease = self.start_emuctl("lease", "aarch64", user=CAROL, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.assertEqual(lease.stdout.readline(), "ready\n")
        self.assert_status(self.emuctl("register", "aarch64", user=CAROL), 0)
        lease.communicate("", SECONDS_TO_RUN)
        self.assert_stays(emud, 2)  # the pin needs it
        self.assert_status(self.emuctl("unregister", "aarch64", user=CAROL), 0)
        self.wait_for_exit(emud)
        self.assertEqual(handlers(), [])

    def test_it_stays_when_told_so(self):
        self.assert_stays(self.start_emud("--idle-exit", "0"), 1.5)

    def test_socket_of_its_own_is_not_left_alone(self):
        emud = Emud("--idle-exit", "1")
        self.emuds.append(emud)
        self.addCleanup(self.end_emud, emud)
        self.assert_stays(emud.start(), 2)

    def test_connections_at_the_moment_of_the_exit(self):
        """Whenever a client comes, it is served, by this emud or the next."""
        emud = self.start_emud("--idle-exit", "1")
        for number in range(6):
            time.sleep(0.9 + 0.04 * number)  # around the moment when it ends
            client = self.start_emuctl("status", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            while client.poll() is None:
                if emud.process.poll() is not None:
                    if select.select([emud.listener], [], [], 0)[0]:
                        emud.start()
                else:
                    select.select([emud.listener], [], [], 0.02)
            out, err = client.communicate()
            self.assertEqual((client.returncode, err), (0, ""))
            self.assertIn("private scope", out)
            if emud.process.poll() is not None:
                emud.start()


class HandOver(TestCase):
    """systemd keeps the pidfd of a lease's holder."""

    start_emud = Activation.start_emud

    def test_pidfd_of_the_holder_is_kept(self):
        emud = self.start_emud()
        lease = self.start_emuctl("lease", "aarch64", user=CAROL, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.assertEqual(lease.stdout.readline(), "ready\n")
        (shown,) = status(emud)["leases"]
        emud.take_notifications()
        self.assertEqual(list(emud.kept), [f"emud-lease-{shown['id']}"])
        (kept,) = emud.kept.values()
        info = pathlib.Path(f"/proc/self/fdinfo/{kept}").read_text(encoding="utf-8")
        self.assertIn(f"Pid:\t{lease.pid}\n", info)
        # The record alone would not do: its start time is wrong. The descriptor says who it is.
        emud.kill()
        path = emud.runtime / "leases" / shown["id"] / "lease.json"
        record = json.loads(path.read_text())
        path.write_text(json.dumps(record | {"pidStart": 1}))
        emud.start()
        deadline = time.monotonic() + SECONDS_TO_END
        while [one["state"] for one in status(emud)["leases"]] != ["ready"]:
            self.assertLess(time.monotonic(), deadline, status(emud)["leases"])
        self.assertEqual(handlers(), ["emud-aarch64"])
        lease.communicate("", SECONDS_TO_RUN)
        self.assertEqual(lease.returncode, 0)
        self.assertEqual(handlers(), [])
        emud.take_notifications()
        self.assertEqual(emud.kept, {})


if __name__ == "__main__":
    main()
