"""emuctl monitor and io.emud.Manager.Monitor: what happens is told to whoever watches, and a watcher who sleeps holds up nobody."""

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
