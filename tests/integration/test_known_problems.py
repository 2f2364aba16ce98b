"""Which emulator a build gets whose machine has one with a known problem, and what is said about it, to people and programs."""

import json
import socket
import time

import other_emulator
from catalog_case import *


class KnownProblems(CatalogCase):
    """The machine's own QEMU has a known problem, and the catalog has one without."""

    NOTE = "It is slow here. Use the other one"

    def noted(self, *older):
        """A catalog that says so of these versions."""
        catalog = json.loads(self.catalog.read_text(encoding="utf-8"))
        catalog["notes"] = [{"from": version, "before": f"{version}.1", "architecture": "aarch64", "effect": "slow",
                             "text": "It is slow here", "instead": "Use the other one"} for version in older]
        path = self.temporary_directory() / "catalog.json"
        path.write_text(json.dumps(catalog), encoding="utf-8")
        path.parent.chmod(0o755)
        return path

    def start_noted(self, *options, older=None):
        return TestCase.start_emud(self, "--catalog", self.noted(*(older or (self.one,))), *options)

    def default(self):
        return [one["version"] for one in self.listed() if one["default"] and one["architecture"] == "aarch64"]

    def hello(self, *options, **more):
        done = self.emuctl("run", "-a", "aarch64", *options, "--", guest("hello-arm64"), **more)
        self.assert_status(done, 0)
        self.assertEqual(done.stdout, "hello from aarch64\n")
        return "".join(line for line in done.stderr.splitlines(True) if "note: " in line or line.startswith("  "))

    def test_the_better_one_is_fetched_once(self):
        self.start_noted("--mirror", self.mirror.url)
        self.assertEqual(self.default(), [self.two])
        self.assertIn(self.NOTE, self.hello("--no-fetch"))
        self.assertEqual(self.mirror.requests, [])
        self.assertNotIn("note", self.hello())
        self.assertEqual(len(self.mirror.requests), 1)
        self.assertEqual(self.default(), [self.two])
        self.mirror.close()
        self.assertEqual(self.hello(), "")

    def test_without_a_network_the_installed_one_serves_at_once(self):
        self.start_noted("--mirror", "http://127.0.0.1:1/debian")
        first = self.hello()
        self.assertIn(self.NOTE, first)
        self.assertIn(f"QEMU {self.two} for aarch64, which has no known problem, is not there", first)
        self.assertIn("emuctl emulator install aarch64", first)
        self.assertEqual(self.default(), [self.one], "what is used is the default now")
        watched = self.mirror.requests
        self.assertEqual(self.hello(), first)
        self.assertEqual(watched, [])

    def test_a_mirror_that_never_answers_does_not_hold_it_up(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen(0)
            self.start_noted("--mirror", f"http://127.0.0.1:{silent.getsockname()[1]}")
            begin = time.monotonic()
            self.assertIn(self.NOTE, self.hello())
            first = time.monotonic() - begin
            self.assertLess(first, 20 * a_second())
            begin = time.monotonic()
            self.assertIn(self.NOTE, self.hello())
            self.assertLess(time.monotonic() - begin, 2 * a_second(), "the failure is remembered")

    def test_rootless(self):
        home = self.temporary_directory(ALICE)
        data = self.noted(self.one).parent
        environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "EMUD_DATA": str(data),
                       "EMUD_MIRRORS": "http://127.0.0.1:1/debian"}
        first = self.hello("--rootless", env=environment)
        self.assertIn(self.NOTE, first)
        self.assertIn("is not there", first)
        environment["EMUD_MIRRORS"] = self.mirror.url
        self.assertEqual(self.hello("--rootless", env=environment), first, "the failure is remembered")
        self.assertEqual(self.mirror.requests, [])
        shutil.rmtree(home / "emud/unfetched")
        self.assertEqual(self.hello("--rootless", env=environment).count("note"), 0)
        self.assertEqual(len(self.mirror.requests), 1)

    def test_notes_in_both_scopes(self):
        self.start_noted("--no-fetch")
        self.assertIn(self.NOTE, self.hello())
        self.assertIn(self.NOTE, self.hello("--scope", "host", user=CAROL))
        done = self.emuctl("lease", "aarch64", user=CAROL, input="")
        self.assert_status(done, 0)
        self.assertIn(self.NOTE, done.stderr)
        done = self.emuctl("register", "aarch64", "--json", user=CAROL)
        self.assert_status(done, 0)
        self.assertIn(self.NOTE, done.stderr)
        self.assertIn(self.NOTE, json.loads(done.stdout)["notes"][0])
        self.assert_status(self.emuctl("unregister", "aarch64", user=CAROL), 0)

    def events_of(self, *words, user=CAROL):
        """What the verb does and its JSON events, with an emulator that is not installed."""
        reader, writer = os.pipe()
        done = self.emuctl(words[0], "--json-events", str(writer), "--emulator", self.two, *words[1:], user=user, input="",
                           pass_fds=(writer,))
        os.close(writer)
        with open(reader, encoding="utf-8") as stream:
            return done, [json.loads(line) for line in stream]

    def test_progress_for_programs_unless_fetching_is_forbidden(self):
        for words in (("run", "-a", "aarch64", "--", "true"), ("register", "aarch64"), ("lease", "aarch64")):
            with self.subTest(verb=words[0]):
                self.emuds = []
                self.mirror.requests.clear()
                self.start_noted("--mirror", self.mirror.url)
                done, events = self.events_of(words[0], "--no-fetch", *words[1:])
                self.assert_status(done, 125 if words[0] == "run" else 1)
                self.assertIn("switched off", next(one for one in events if one["event"] == "error")["reason"])
                self.assertEqual(self.mirror.requests, [])
                done, events = self.events_of(*words)
                self.assert_status(done, 0)
                fetched = [one for one in events if one["event"] == "progress" and one["step"] == "fetch"]
                package = (SCRATCH / "mirror/pool/main/q/qemu-two/qemu-two_2_amd64.deb").stat().st_size
                self.assertEqual({one["total"] for one in fetched}, {package})
                self.assertEqual((fetched[0]["done"], fetched[-1]["done"]), (0, package))
                self.assertEqual(len(self.mirror.requests), 1)
                self.assertEqual("lease" in [one["event"] for one in events], words[0] != "register")
                if words[0] == "register":
                    self.assert_status(self.emuctl("unregister", "aarch64", user=CAROL), 0)


if __name__ == "__main__":
    if "EMUD_HERMETIC" not in os.environ:
        other_emulator.fetch()
    main()
