"""kill -9 of the fetcher and of emud in every phase of an installation: the store is whole after a restart, nothing else is left,
and the next installation succeeds. Each is held at a system call, and killed there."""

from essentials import *
from mirror_case import *
from syscalls import Watch

# What stops them: the fetcher confining itself (PR_SET_NO_NEW_PRIVS is 38), writing its file (descriptor 3) and ending; the
# worker of emud that checks and publishes what came.
CALLS = {"prctl": 38, "write": 3, "exit_group": None, "mkdirat": None, "fsync": None, "renameat": None}
DOWNLOAD, UNPACK, WORKER = "emud-fetcher download", "emud-fetcher unpack", "emud-worker"
FETCHER_MOMENTS = [(DOWNLOAD, "prctl", 1), (DOWNLOAD, "write", 1), (DOWNLOAD, "write", 40), (DOWNLOAD, "exit_group", 1),
                   (UNPACK, "prctl", 1), (UNPACK, "write", 1), (UNPACK, "write", 60), (UNPACK, "exit_group", 1)]
# Before and after each step of Store::install: copied, run for its version, described, published, on the disk.
WORKER_MOMENTS = [(WORKER, "fsync", 1), (WORKER, "prctl", 3), (WORKER, "fsync", 2), (WORKER, "fsync", 3), (WORKER, "renameat", 1),
                  (WORKER, "fsync", 4), (WORKER, "exit_group", 1)]


@unittest.skipUnless(os.uname().machine == "x86_64", "system calls are watched by their numbers on x86_64")
class FetchKills(MirrorCase):
    def hold(self, moment):
        """An installation that is held there: the watch, emud and the client."""
        watch = Watch(CALLS)
        watch.hold(*moment)
        self.emuds.clear()
        emud = self.start_emud(preexec_fn=watch.install)
        client = self.start_install(self.mirror().url("/good/x.deb"))
        self.addCleanup(client.communicate)
        self.addCleanup(client.kill)
        self.assertTrue(watch.held.wait(SECONDS_TO_RUN / 4), "it was never there")
        return watch, emud, client

    def assert_failed(self, client, *words):
        out, err = client.communicate(timeout=SECONDS_TO_RUN)
        self.assertEqual((client.returncode, out), (1, ""), err)
        for word in words:
            self.assertIn(word, err)

    def assert_whole(self, emud):
        """Nothing but whole entries, and each is what it is called."""
        digest = sha256(self.binary)
        self.assertIn(self.installed(emud), ([], [digest]))
        for entry in (emud.state / "store").glob("*"):
            self.assertEqual(sha256((entry / "qemu-aarch64").read_bytes()), digest)
        self.assert_status(self.emuctl("emulator", "verify", user=ROOT, emud=emud), 0)
        self.assert_no_deleted_files(emud)

    def test_kill_the_fetcher(self):
        for moment in FETCHER_MOMENTS:
            with self.subTest(moment=moment):
                watch, emud, client = self.hold(moment)
                os.kill(watch.pid, signal.SIGKILL)
                watch.released.set()
                self.assert_failed(client, "killed by signal 9")
                self.assert_nothing_left(emud)
                self.assert_installed(self.install(self.mirror().url("/good/x.deb")), emud)
                self.end_emud(self.emuds.pop())

    def test_kill_emud(self):
        for moment in FETCHER_MOMENTS + WORKER_MOMENTS:
            with self.subTest(moment=moment):
                watch, emud, client = self.hold(moment)
                emud.kill()
                watch.released.set()
                self.assert_failed(client)
                self.assertEqual(processes_left(self.processes_before), {}, "what emud had started goes on")
                emud.started = {}
                emud.start()
                self.assert_whole(emud)
                if moment[0] != WORKER:
                    self.assert_nothing_left(emud)
                self.assert_installed(self.install(self.mirror().url("/good/x.deb")), emud)
                self.end_emud(self.emuds.pop())


if __name__ == "__main__":
    main()
