"""Limits of a lease, what the status says of it and to whom, and what is written down about every request."""

import re

from test_rights import HOLD, RightsCase
from essentials import *
from wire_client import *

# Forks as long as it can, forever; writes how many of its children lived at once when it first could not.
BOMB = """
import os, time
count = 0
while True:
    try:
        if os.fork() == 0:
            time.sleep(1000)
        count += 1
    except OSError:
        if count:
            print(count, flush=True)
            count = 0
        time.sleep(0.01)
"""


class Limits(RightsCase):
    def limited(self, *words, user=ALICE, emud=None):
        return self.emuctl("run", *words, user=user, emud=emud)

    def test_fork_bomb_ends_with_its_lease_and_disturbs_nobody(self):
        for options in (("--limit-processes", "50"), ("--limit-processes", "50", "--rootless")):
            with self.subTest(options=options):
                bomb = self.start_emuctl("run", *options, "-a", "aarch64", "--", PYTHON, "-I", "-c", BOMB, stdout=subprocess.PIPE,
                                         text=True)
                self.assertLessEqual(int(bomb.stdout.readline()), 50)
                self.assert_status(self.limited("-a", "aarch64", "--", "sh", "-c", "for i in 1 2 3; do true | true; done",
                                                user=BOB), 0)
                self.assert_status(self.limited("-a", "aarch64", "--", "true"), 0)  # of the same user, in another lease
                if "--rootless" in options:
                    bomb.send_signal(signal.SIGTERM)
                else:
                    # The others have told their clients, but may not have ended yet.
                    lease, = (each for each in status(self.emud)["leases"] if each["pid"] == bomb.pid)
                    with Wire(self.emud.socket) as wire:
                        wire.call("Cancel", {"lease": lease["id"]})
                bomb.communicate(timeout=SECONDS_TO_END)
                self.assertNotEqual(bomb.returncode, 0)

    def test_configured_limit_cannot_be_raised_by_the_caller(self):
        strict = self.start_emud("--lease-processes", "40", "--lease-seconds", "1")
        count = ("-a", "aarch64", "--", "bash", "-c", "ulimit -u")
        self.assertEqual(self.limited(*count, emud=strict).stdout, "40\n")
        self.assertEqual(self.limited("--limit-processes", "4000", *count, emud=strict).stdout, "40\n")
        self.assertEqual(self.limited("--limit-processes", "20", *count, emud=strict).stdout, "20\n")
        done = self.limited("--limit-seconds", "1000", "-a", "aarch64", "--", "sleep", "1000", emud=strict)
        self.assert_status(done, 125)

    def test_time(self):
        for words in ((), ("--rootless",)):
            with self.subTest(words=words):
                done = self.limited(*words, "--limit-seconds", "1", "-a", "aarch64", "--", "sleep", "1000")
                self.assert_status(done, 125)
                self.assertIn("1 seconds", done.stderr)
                self.assertIn("lease-seconds", done.stderr)
                done = self.limited(*words, "--limit-seconds", "1", "-a", "aarch64", "--", "sh", "-c",
                                    "trap 'echo asked' TERM; sleep 1000 & wait; sleep 1000")
                self.assert_status(done, 125)
                self.assertEqual(done.stdout, "asked\n")
                self.assert_status(self.limited(*words, "--limit-seconds", "100", "-a", "aarch64", "--", "sh", "-c", "exit 3"), 3)

    def lease(self, *words, emud=None):
        return self.start_emuctl("lease", *words, "aarch64", user=CAROL, emud=emud, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)

    def test_time_of_a_host_lease(self):
        configured = self.start_emud("--lease-seconds", "2")
        for emud in (self.emud, configured):
            self.assert_status(self.emuctl("probe", "aarch64", emud=emud), 0)  # has an emulator then: a lease's time runs already
        for words, emud, seconds in ((("--limit-seconds", "1"), None, 1), ((), configured, 2), (("--limit-seconds", "9"), configured, 2)):
            with self.subTest(words=words):
                process = self.lease(*words, emud=emud)
                expect_line(process.stdout, "ready")
                shown, = status(emud or self.emud)["leases"]
                self.assertEqual(shown["ends"], shown["started"] + seconds)
                self.assertEqual(process.wait(SECONDS_TO_END), 1)  # its input is open: it ends by itself
                _, err = process.communicate()
                self.assertIn("its time is over", err)
                self.assertIn("lease-seconds", err)
                self.assertEqual((handlers(), status(emud or self.emud)["leases"]), ([], []))
        process = self.lease("--limit-seconds", "100")
        expect_line(process.stdout, "ready")
        _, err = process.communicate("", SECONDS_TO_END)
        self.assertEqual((process.returncode, err), (0, ""))

    def test_time_of_a_host_lease_whose_holder_does_not_care(self):
        self.assert_status(self.emuctl("probe", "aarch64"), 0)
        with Wire(self.emud.socket) as wire:
            reply = wire.call("Acquire", {"architectures": ["aarch64"], "seconds": 2})
            self.assertTrue(1 <= reply["seconds"] <= 2, reply)
            self.assertEqual(handlers(), ["emud-aarch64"])
            self.emud.kill()
        self.emud.start()  # which waits for the holder longer than the lease may last
        deadline = time.monotonic() + SECONDS_TO_END
        while status(self.emud)["leases"] or handlers():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        self.assertIn("its time is over", self.emud.text())

    def test_time_that_is_over_is_shown_before(self):
        timed = self.start_emud("--lease-seconds", "1000")
        process = self.start_emuctl("run", "-a", "aarch64", "--", *HOLD, emud=timed, stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, text=True)
        expect_line(process.stdout, "ready")
        lease = status(timed)["leases"][0]
        self.assertEqual(lease["ends"], lease["started"] + 1000)
        process.communicate("\n", SECONDS_TO_RUN)

    def test_memory_and_weight_of_processes(self):
        eat = (PYTHON, "-I", "-c", "bytearray(400 << 20)")
        for words in ((), ("--rootless",)):
            with self.subTest(words=words):
                done = self.limited(*words, "--limit-memory", "200M", "-a", "aarch64", "--", *eat)
                self.assertNotEqual(done.returncode, 0)
                self.assert_status(self.limited(*words, "--limit-memory", "1G", "-a", "aarch64", "--", *eat), 0)
                done = self.limited(*words, "--limit-cpu-weight", "10", "-a", "aarch64", "--", "nice")
                self.assertEqual(done.stdout, f"{max(os.nice(0), 0) + 10}\n")

    def test_wrong_limits_are_refused(self):
        for words in (("--limit-processes", "0"), ("--limit-memory", "4X"), ("--limit-seconds", "-1"),
                      ("--limit-cpu-weight", "10001")):
            self.assert_status(self.limited(*words, "--", "true"), 125)
        null, cwd = os.open("/dev/null", os.O_RDWR), os.open("/", os.O_PATH)
        for limits in ({"processes": 0}, {"memory": -1}, {"seconds": 2**62}, {"cpuWeight": 10001}):
            parameters = self.assert_wire_error("InvalidArgument", start_and_wait, self.emud.socket,
                                                run_parameters(limits=limits), [null, cwd])
            self.assertIn(f"limits.{next(iter(limits))}", str(parameters))
        for seconds in (0, -1, 2**62):
            with Wire(self.emud.socket) as wire:
                parameters = self.assert_wire_error("InvalidArgument", wire.call, "Acquire",
                                                    {"architectures": ["aarch64"], "seconds": seconds})
            self.assertIn("seconds", str(parameters))
        os.close(null)
        os.close(cwd)


class Told(RightsCase):
    """`emuctl status` and the log."""

    def test_use_of_a_lease(self):
        code = "x = bytearray(100 << 20); sum(range(3000000)); print('ready', flush=True); input()"
        process = self.start_emuctl("run", "-a", "aarch64", "--", PYTHON, "-I", "-c", code, stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, text=True)
        expect_line(process.stdout, "ready")
        lease, = status(self.emud)["leases"]
        self.assertEqual(lease["user"], "alice")
        self.assertEqual(lease["pid"], process.pid)
        self.assertEqual(lease["processes"], 1)
        self.assertGreater(lease["cpuTime"], 10_000)
        self.assertGreater(lease["memory"], 90 << 20)
        self.assertLess(lease["memory"], 400 << 20)
        text = self.emuctl("status", user=BOB).stdout
        self.assertRegex(text, r"alice +\d+ +\d+ s +\d+\.\d s +\d+ MiB +aarch64")
        process.communicate("\n", SECONDS_TO_RUN)

    def test_command_lines_are_for_their_owner_root_and_the_group(self):
        process, _ = self.start_holding()
        for user, sees in ((ALICE, True), (BOB, False), (CAROL, True), (ROOT, True)):
            done = self.emuctl("status", "--json", user=user)
            self.assert_status(done, 0)
            message = json.loads(done.stdout)
            self.assertEqual(message["version"], 1)
            lease, = message["status"]["leases"]
            self.assertEqual("read line" in lease.get("purpose", ""), sees, user)
            self.assertEqual("read line" in self.emuctl("status", user=user).stdout, sees, user)
        self.finish(process)

    def test_every_decision_is_written_down(self):
        self.assert_status(self.emuctl("run", "-a", "aarch64", "--", "true"), 0)
        self.emuctl("register", "aarch64")
        process, lease = self.start_holding()
        self.emuctl("status")

        def cancel():
            with Wire(self.emud.socket) as wire:
                wire.call("Cancel", {"lease": lease})

        self.assert_wire_error("PermissionDenied", as_user, BOB, cancel)
        with Wire(self.emud.socket) as wire:
            with self.assertRaises(WireError):
                wire.call("No\nsuch" + "x" * 1000)
        self.finish(process)
        text = self.emud.text()
        who = r"user alice \(uid 64001, process \d+ emuctl\) called io\.emud\.Manager\."
        self.assertRegex(text, who + r"Run: granted, lease [0-9a-f]{8}\n")
        self.assertRegex(text, who + r"Register: refused: .*group emud")
        self.assertRegex(text, r"user bob \(uid 64002, process \d+ \S+\) called io\.emud\.Manager\.Cancel: refused, lease "
                         + lease + ": .*belongs to user 64001")
        self.assertRegex(text, r"user root .* called io\.emud\.Manager\.No\\x0asuchx{40,80}: failed")
        self.assertRegex(text, who + r"GetStatus: granted\n")

    def test_looking_all_the_time_is_a_line_a_second(self):
        with Wire(self.emud.socket) as wire:
            for _ in range(100):
                wire.call("GetStatus")
            time.sleep(1.1)
            wire.call("GetStatus")
        lines = [line for line in self.emud.text().splitlines() if "GetStatus: granted" in line]
        self.assertLess(len(lines), 20)
        self.assertGreaterEqual(sum(int(found) for line in lines for found in re.findall(r"\((\d+) more before it\)", line))
                                + len(lines), 101)

    def test_interrupted_request_is_a_failure(self):
        with Wire(self.emud.socket) as wire:
            wire.send("Run", run_parameters(), [os.open("/dev/null", os.O_RDWR), os.open("/", os.O_PATH)])
        self.assert_status(self.emuctl("status"), 0)
        deadline = time.monotonic() + SECONDS_TO_END
        while "called io.emud.Manager.Run" not in self.emud.text():
            self.assertLess(time.monotonic(), deadline)
        self.assertRegex(self.emud.text(), r"Run: (failed(, lease [0-9a-f]{8})?: the client hung up|granted)")


if __name__ == "__main__":
    main()
