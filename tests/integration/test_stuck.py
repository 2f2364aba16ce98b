"""What cannot be ended holds nobody up, and what ends meanwhile is not begun."""

import threading

from essentials import *
from hostile_files import HostileFile
from wire_client import *


class StuckCase(HolderCase):
    def setUp(self):
        super().setUp()
        self.emud = self.start_emud("--kill-after", "0.2")

    def leases(self):
        return {one["id"]: one for one in status(self.emud)["leases"]}

    def wait_for(self, condition, what):
        deadline = time.monotonic() + 2 * SECONDS_TO_END
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"{what}: {self.leases()}, {handlers()}")
            time.sleep(0.02)


class ProcessesThatDoNotEnd(StuckCase):
    """A command opened a file of its own FUSE server, which never answers FLUSH: no signal ends it."""

    def run_stuck(self, hostile):
        run_ = self.start_emuctl("run", "--scope", "host", "-a", "aarch64", "--", PYTHON, "-I", "-c",
                                 f"import os, signal; os.open('{hostile.path}', os.O_RDWR); print('ready', flush=True); "
                                 "signal.pause()", user=CAROL, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, text=True)
        expect_line(run_.stdout, "ready")
        run_.kill()
        run_.wait(SECONDS_TO_END)
        run_.stdout.close()  # which the stuck process has open as well

    def test_hold_nobody_up(self):
        directory = self.temporary_directory()
        directory.chmod(0o755)
        with HostileFile(directory) as hostile:
            try:
                self.run_stuck(hostile)
                began = time.monotonic()
                # Others come and go meanwhile.
                self.assert_status(self.emuctl("run", "-a", "aarch64", "--", guest("hello-arm64"), user=BOB), 0)
                self.release(self.hold("riscv64"))
                self.assertLess(time.monotonic() - began, SECONDS_TO_END)
                self.wait_for(lambda: [one["state"] for one in self.leases().values()] == ["stuck"], "it is stuck")
                self.assertEqual(handlers(), [], "it holds a handler")
                (lease,) = self.leases()
                with self.assertRaises(WireError) as raised, Wire(self.emud.socket) as wire:
                    wire.call("Cancel", {"lease": lease})
                self.assertEqual(raised.exception.name, "TimedOut")
                # emud can end, a next one begins at once, and so does what systemd runs between them.
                began = time.monotonic()
                self.assertEqual(self.emud.stop(), 0)
                self.assert_status(run([BIN_DIR / "emud", "--socket", self.emud.socket, "--state-dir", self.emud.state,
                                        "--runtime-dir", self.emud.runtime, "--reconcile"]), 0)
                self.emud.start()
                self.assertLess(time.monotonic() - began, SECONDS_TO_END)
                self.assertEqual([one["state"] for one in self.leases().values()], ["stuck"])
                self.assert_status(self.emuctl("run", "-a", "aarch64", "--", guest("hello-arm64"), user=BOB), 0)
            finally:
                hostile.abort()
            self.wait_for(lambda: self.leases() == {}, "its processes have ended")
        self.assertEqual(self.emud.leases(), [])
        self.assertEqual(cgroups(), self.before["cgroups"])


class EndedWhileBroughtUp(StuckCase):
    """Helper processes and keepers of emud are stopped as soon as they are there: the bring-up takes as long as the test likes."""

    def begin(self, method, parameters, fds=()):
        wire = Wire(self.emud.socket)
        self.addCleanup(wire.close)
        wire.send(method, parameters, fds)
        self.wait_for(lambda: [one["state"] for one in self.leases().values()] == ["bringing_up"], "it is brought up")
        (lease,) = self.leases()
        return wire, lease

    def setUp(self):
        super().setUp()
        self.assert_status(self.emuctl("run", "-a", "aarch64", "--", "true"), 0)  # what is asked once is known now
        self.wait_for(lambda: self.leases() == {}, "its keeper has ended")  # and is not frozen with the others

    def freeze(self):
        """Stops every child of emud until the end of the test."""
        self.stop_freezing = False

        def watch():
            while not self.stop_freezing:
                for pid in children_of(self.emud.pid):
                    try:
                        os.kill(pid, signal.SIGSTOP)
                    except ProcessLookupError:
                        pass
        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(lambda: setattr(self, "stop_freezing", True))

    def check(self, method, end, parameters, fds=()):
        self.freeze()
        wire, lease = self.begin(method, parameters, fds)
        with Wire(self.emud.socket) as other:
            other.call(end, {"lease": lease})
        self.assertEqual(self.leases(), {})
        message, _ = wire.receive()
        self.assertEqual(message.get("error"), "io.emud.Manager.Cancelled", message)
        self.stop_freezing = True
        self.assertEqual(handlers(), [])
        self.wait_for(lambda: cgroups() == self.before["cgroups"], "no cgroup is left")
        self.assertEqual(self.emud.leases(), [])
        self.assert_status(self.emuctl("run", "-a", "aarch64", "--", guest("hello-arm64")), 0)

    def run_it(self, end):
        descriptors = [os.open("/dev/null", os.O_RDWR), os.open("/", os.O_RDONLY)]
        self.addCleanup(lambda: [os.close(fd) for fd in descriptors])
        self.check("Run", end, run_parameters(fresh=True), descriptors)

    def test_run_is_cancelled(self):
        self.run_it("Cancel")

    def test_run_is_released(self):
        self.run_it("Release")

    def test_acquire_is_cancelled(self):
        self.check("Acquire", "Cancel", {"architectures": ["riscv64"]})


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


if __name__ == "__main__":
    main()
