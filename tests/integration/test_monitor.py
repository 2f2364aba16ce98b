"""emuctl monitor and io.emud.Manager.Monitor: what happens is told to whoever watches, and a watcher who sleeps holds up nobody."""

import re

from essentials import *
from wire_client import *


class Monitor(TestCase):
    def setUp(self):
        super().setUp()
        self.emud = self.start_emud()

    def start_monitor(self, *options, user=BOB):
        process = self.start_emuctl("monitor", *options, user=user, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def next_event(self, process):
        line = process.stdout.readline()
        self.assertTrue(line.endswith("}\n"), line)
        message = json.loads(line)
        self.assertEqual(sorted(message), ["event", "version"])
        self.assertEqual(message["version"], 1)
        return message["event"]

    def next_of_kind(self, process, kind):
        while True:
            event = self.next_event(process)
            if event["kind"] == kind:
                return event

    def test_every_line_is_an_event_in_json(self):
        process = self.start_monitor("--json")
        first = self.next_event(process)
        self.assertEqual(first["kind"], "monitor_started")
        self.assertLess(abs(first["time"] / 1e6 - time.time()), 60)

    def documented_kinds(self):
        """Those that the interface's description names, and the manual page."""
        text = (SOURCE_DIR / "common/wire/io.emud.Manager.varlink").read_text()
        comment = text.partition("text one sentence for people. kind:\n")[2].partition("Kinds may be added")[0]
        kinds = set(re.findall(r"\b(?:[a-z]+_[a-z]+|fault)\b", comment))
        manual = (SOURCE_DIR / "packaging/man/emuctl.1").read_text().partition(".SS emuctl monitor")[2].partition(".SS")[0]
        self.assertEqual(set(re.findall(r"\b(?:[a-z]+_[a-z]+|fault)\b", manual)), kinds)
        return kinds

    def test_every_kind_in_order(self):
        process = self.start_monitor("--json")
        events = []

        def expect(*kinds):
            for kind in kinds:
                events.append(self.next_event(process))
                self.assertEqual(events[-1]["kind"], kind, events)

        expect("monitor_started")
        held = self.start_emuctl("lease", "aarch64", user=CAROL, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        expect("lease_opened", "emulator_installed", "handler_up", "lease_ready")
        pathlib.Path(f"{BINFMT_MISC}/status").write_text("-1")
        expect("handler_lost", "handler_healed")
        self.assert_status(self.emuctl("register", "aarch64", user=CAROL), 0)
        expect("handler_pinned")
        self.assert_status(self.emuctl("unregister", "aarch64", user=CAROL), 0)
        expect("handler_unpinned")
        for switch in "01":
            pathlib.Path(f"{BINFMT_MISC}/status").write_text(switch)
            expect("fault")
        held.communicate("", SECONDS_TO_RUN)
        expect("handler_down", "lease_ended")
        digest = status(self.emud)["emulators"][0]["digest"]
        self.assert_status(self.emuctl("emulator", "remove", digest, user=CAROL), 0)
        expect("emulator_removed")
        run_ = self.emuctl("run", "-a", "aarch64", "--", "true")
        self.assert_status(run_, 0)
        expect("lease_opened", "emulator_installed", "lease_ready", "lease_ended")

        members = {"lease": {"lease", "architectures", "scope", "uid", "pid"}, "handler": {"architecture"}, "emulator": {"architecture"}}
        for event in events:
            wanted = members.get(event["kind"].partition("_")[0], set())
            self.assertEqual(set(event), {"time", "kind", "text"} | wanted, event)
        self.assertEqual([event["time"] for event in events], sorted(event["time"] for event in events))
        self.assertEqual({event["architecture"] for event in events if "architecture" in event}, {"aarch64"})
        self.assertEqual([(event["scope"], event["uid"]) for event in events if event["kind"] == "lease_ended"],
                         [("host", CAROL.uid), ("private", ALICE.uid)])
        # A unit test loses events; nobody can watch an emud that has yet to take leases over: that is in the log.
        self.assertEqual({event["kind"] for event in events} | {"events_lost", "lease_adopted"}, self.documented_kinds())

    def test_text_names_time_and_kind(self):
        process = self.start_monitor()
        self.assertRegex(process.stdout.readline(), r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  monitor_started +\S")

    def test_ends_with_the_client_and_with_emud(self):
        for _ in range(3):
            process = self.start_monitor("--json")
            self.next_event(process)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(SECONDS_TO_END), -signal.SIGINT)
        process = self.start_monitor("--json")
        self.next_event(process)
        self.assertEqual(self.emud.stop(), 0)
        self.assertEqual(process.wait(SECONDS_TO_END), 1)
        self.assertIn("emud", process.stderr.read())

    def test_refused_without_more_and_with_parameters(self):
        with Wire(self.emud.socket) as wire:
            wire.send("Monitor", {})
            message, _ = wire.receive()
            self.assertEqual(message["error"], "org.varlink.service.ExpectedMore")
            wire.send("Monitor", {"since": 1}, more=True)
            message, _ = wire.receive()
            self.assertEqual(message["error"], "org.varlink.service.InvalidParameter")


if __name__ == "__main__":
    main()
