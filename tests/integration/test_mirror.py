"""Emulators fetched from mirrors that lie, break, stall and vanish: what is bad is refused with its reason and leaves nothing
in the store, what is good is installed; a fetcher or an emud that is killed leaves nothing either."""

import re

from essentials import *
from mirrors import *

EMUD_FETCHER = "emud-fetcher"


class MirrorCase(TestCase):
    def setUp(self):
        super().setUp()
        emulator = machine_emulator("aarch64")
        self.require(emulator, "this machine has no static emulator for aarch64 to put into a package")
        self.binary = pathlib.Path(emulator).read_bytes()
        self.package = debian_package({"usr/bin/qemu-aarch64-static": self.binary})
        self.digest = sha256(self.package)

    def mirror(self, *arguments):
        mirror = Mirror(self.package, *arguments)
        self.addCleanup(mirror.close)
        return mirror

    def install(self, url, *options, user=ROOT, **more):
        return self.emuctl("emulator", "install", "--url", url, "--sha256", self.digest, *options, user=user, **more)

    def start_install(self, url):
        return self.start_emuctl("emulator", "install", "--url", url, "--sha256", self.digest, user=ROOT,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def installed(self, emud):
        """The names in the store; temporaries would be among them."""
        store = emud.state / "store"
        return sorted(entry.name for entry in store.iterdir()) if store.exists() else []

    def assert_refused(self, done, emud, *reasons):
        self.assert_status(done, 1)
        for reason in reasons:
            self.assertIn(reason, done.stderr)
        self.assertNotIn("OK", done.stdout)
        self.assertEqual(self.installed(emud), [], "in the store")
        self.assertEqual(processes_named(EMUD_FETCHER), [])
        self.assert_no_deleted_files(emud)

    def assert_no_deleted_files(self, emud):
        """No process holds an unnamed file of the store's file system: its space is free again."""
        for pid in processes():
            try:
                links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            except (FileNotFoundError, ProcessLookupError):
                continue
            self.assertFalse([link for link in links if link.startswith(str(emud.state)) and "deleted" in link])

    def assert_installed(self, done, emud):
        self.assert_status(done, 0)
        self.assertEqual(self.installed(emud), [sha256(self.binary)])
        status = self.emuctl("run", "-a", "aarch64", "--", guest("exit-with"), "7", emud=emud)
        self.assert_status(status, 7)


class Liars(MirrorCase):
    def test_what_is_bad_is_refused_and_what_is_good_installed(self):
        emud = self.start_emud()
        mirror = self.mirror()
        cases = {f"/flipped/{place}": (self.digest, "SHA-256") for place in (0, 70, len(self.package) // 2, len(self.package) - 1)}
        cases |= {
            "/truncated/x.deb": (self.digest[:0], "SHA-256"),
            "/loop/x.deb": ("redirects more than",),
            "/to-file/x.deb": ("file:///etc/passwd", "only http and https"),
            "/missing/x.deb": ("404",),
        }
        for path, reasons in cases.items():
            with self.subTest(path=path):
                self.assert_refused(self.install(mirror.url(path)), emud, mirror.url(path), *reasons)
        with self.subTest("nobody listens"):
            url = f"http://127.0.0.1:{closed_port()}/x.deb"
            self.assert_refused(self.install(url), emud, url, "Connection refused")
        for url in ("file:///etc/passwd", "ftp://127.0.0.1/x.deb"):
            with self.subTest(url=url):
                done = self.install(url)
                self.assertIn(done.returncode, (1, 2))
                self.assertIn(url, done.stderr)
                self.assertEqual(self.installed(emud), [])
        self.assert_installed(self.install(mirror.url("/good/x.deb")), emud)

    def test_a_connection_cut_in_the_middle_is_taken_up_again(self):
        emud = self.start_emud()
        mirror = self.mirror()
        self.assert_installed(self.install(mirror.url("/cut/x.deb")), emud)
        self.assertEqual([asked for _, asked in mirror.requests], [None, f"bytes={len(self.package) // 2}-"])

    def test_an_endless_file_ends_at_its_bound(self):
        emud = self.start_emud()
        mirror = self.mirror()
        self.assert_refused(self.install(mirror.url("/endless/x.deb")), emud, "longer than")

    def test_rootless(self):
        mirror = self.mirror()
        home = self.temporary_directory(ALICE)
        env = {"XDG_DATA_HOME": str(home)}
        for path, reason in (("/flipped/100", "SHA-256"), ("/missing/x", "404")):
            done = self.install(mirror.url(path), "--rootless", user=ALICE, env=env)
            self.assert_status(done, 1)
            self.assertIn(reason, done.stderr)
            self.assertEqual(list((home / "emud/store").glob("*")), [])
        self.assert_status(self.install(mirror.url("/good/x.deb"), "--rootless", user=ALICE, env=env), 0)
        self.assertEqual([entry.name for entry in (home / "emud/store").iterdir()], [sha256(self.binary)])


class Kills(MirrorCase):
    def held_install(self, emud):
        """An installation in the middle of its download: the process and the fetcher's pid."""
        mirror = self.mirror()
        process = self.start_install(mirror.url("/held/x.deb"))
        self.addCleanup(process.communicate)
        self.assertTrue(mirror.held.wait(SECONDS_TO_RUN))
        fetchers = processes_named(EMUD_FETCHER)
        self.assertEqual(len(fetchers), 1)
        return process, fetchers[0]

    def test_what_the_running_fetcher_may_not_do(self):
        emud = self.start_emud()
        process, fetcher = self.held_install(emud)
        status = dict(re.findall(r"^(\w+):\t(.*)$", pathlib.Path(f"/proc/{fetcher}/status").read_text(), re.M))
        self.assertNotIn("0", status["Uid"].split())
        self.assertNotIn("0", status["Gid"].split())
        self.assertEqual(status["Groups"].strip(), "")
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Seccomp"], "2")
        self.assertLessEqual(set(os.listdir(f"/proc/{fetcher}/fd")), {"0", "1", "2", "3", *map(str, range(4, 16))})
        opened = [os.readlink(f"/proc/{fetcher}/fd/{fd}") for fd in os.listdir(f"/proc/{fetcher}/fd")]
        in_state = [path for path in opened if path.startswith(str(emud.state))]
        self.assertEqual(len(in_state), 1, opened)
        self.assertIn("(deleted)", in_state[0])
        self.assertNotIn(str(emud.socket), " ".join(opened))
        limits = pathlib.Path(f"/proc/{fetcher}/limits").read_text()
        self.assertRegex(limits, r"Max file size +\d+ +\d+ ")
        self.assertRegex(limits, r"Max cpu time +\d+ +\d+ ")
        self.assertRegex(limits, r"Max core file size +0 +0 ")
        self.assertNotIn("http", pathlib.Path(f"/proc/{fetcher}/cmdline").read_text())
        process.kill()
        self.assertTrue(wait_until(lambda: not processes_named(EMUD_FETCHER)), "the client is gone, its fetcher is not")
        self.assertEqual(self.installed(emud), [])

    def test_kill_the_fetcher(self):
        emud = self.start_emud()
        process, fetcher = self.held_install(emud)
        os.kill(fetcher, signal.SIGKILL)
        out, err = process.communicate(timeout=SECONDS_TO_RUN)
        self.assertEqual(process.returncode, 1, err)
        self.assertIn("killed by signal 9", err)
        self.assertEqual(self.installed(emud), [])
        self.assert_no_deleted_files(emud)
        self.assert_installed(self.install(self.mirror().url("/good/x.deb")), emud)

    def test_kill_emud(self):
        emud = self.start_emud()
        process, _ = self.held_install(emud)
        emud.kill()
        _, err = process.communicate(timeout=SECONDS_TO_RUN)
        self.assertEqual(process.returncode, 1, err)
        self.assertTrue(wait_until(lambda: not processes_named(EMUD_FETCHER)), "emud is gone, its fetcher is not")
        self.assertEqual(self.installed(emud), [])
        emud.start()
        self.assertEqual(self.installed(emud), [])
        self.assert_installed(self.install(self.mirror().url("/good/x.deb")), emud)


class FullDisk(MirrorCase):
    def test_a_full_disk_is_told_and_leaves_nothing(self):
        emud = Emud()
        self.emuds.append(emud)
        self.addCleanup(self.end_emud, emud)
        emud.state.mkdir()
        size = len(self.package) // 2
        self.assertEqual(libc.mount(b"tmpfs", str(emud.state).encode(), b"tmpfs", 0, f"size={size},mode=755".encode()), 0)
        self.addCleanup(lambda: libc.umount2(str(emud.state).encode(), 2))
        emud.start()
        mirror = self.mirror()
        free = os.statvfs(emud.state).f_bfree
        done = self.install(mirror.url("/good/x.deb"))
        self.assert_refused(done, emud, "No space left on device", "Free some space")
        self.assertGreaterEqual(os.statvfs(emud.state).f_bfree, free - 4, "blocks are not free again")


class Tls(MirrorCase):
    def certificate(self, directory):
        path = directory / "certificate.pem"
        done = run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", directory / "key.pem", "-out", path])
        self.assert_status(done, 0)
        both = directory / "both.pem"
        both.write_bytes((directory / "key.pem").read_bytes() + path.read_bytes())
        return path, both

    def test_a_certificate_that_nobody_vouches_for_is_refused(self):
        directory = self.temporary_directory()
        directory.chmod(0o755)
        certificate, both = self.certificate(directory)
        mirror = self.mirror(both)
        home = self.temporary_directory(ALICE)
        env = {"XDG_DATA_HOME": str(home)}
        done = self.install(mirror.url("/good/x.deb"), "--rootless", user=ALICE, env=env)
        self.assert_status(done, 1)
        self.assertIn("TLS", done.stderr)
        certificate.chmod(0o644)
        done = self.install(mirror.url("/good/x.deb"), "--rootless", user=ALICE,
                            env=env | {"SSL_CERT_FILE": str(certificate)})
        self.assert_status(done, 0)


if __name__ == "__main__":
    main()
