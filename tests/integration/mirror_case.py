"""Tests that install emulators from a mirror of their own, and look for what must not be left."""

import json

from mirrors import *

EMUD_FETCHER = "emud-fetcher"
MEMBER = "usr/bin/qemu-aarch64-static"


class MirrorCase(TestCase):
    """`package` is a good one with the machine's emulator for aarch64 in it."""

    @classmethod
    def setUpClass(cls):
        emulator = machine_emulator("aarch64")
        if emulator is None:
            raise unittest.SkipTest("this machine has no static emulator for aarch64 to put into a package")
        cls.binary = pathlib.Path(emulator).read_bytes()
        cls.package = debian_package({MEMBER: cls.binary})
        cls.digest = sha256(cls.package)

    def mirror(self, *arguments):
        mirror = Mirror(self.package, *arguments)
        self.addCleanup(mirror.close)
        return mirror

    def catalog(self):
        """A catalog with that package, as version 9.9."""
        file = self.temporary_directory() / "catalog.json"
        file.write_text(json.dumps({"version": 1, "packages": [{
            "host": os.uname().machine, "version": "9.9", "package": "qemu-user", "package_version": "1:9.9", "file": "q.deb",
            "pool_path": "pool/q.deb", "snapshot": "20250101T000000Z", "size": len(self.package), "sha256": self.digest,
            "members": [{"architecture": "aarch64", "path": MEMBER, "sha256": sha256(self.binary)}]}]}), encoding="utf-8")
        return file

    def install(self, url, *options, user=ROOT, **more):
        return self.emuctl("emulator", "install", "--url", url, "--sha256", self.digest, *options, user=user, **more)

    def start_install(self, url):
        return self.start_emuctl("emulator", "install", "--url", url, "--sha256", self.digest, user=ROOT,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def installed(self, emud):
        """The names in the store; temporaries would be among them."""
        store = emud.state / "store"
        return sorted(entry.name for entry in store.iterdir()) if store.exists() else []

    def source(self):
        """Where the one installed emulator came from."""
        done = self.emuctl("emulator", "list", "--json")
        self.assert_status(done, 0)
        sources = [one["source"] for one in json.loads(done.stdout)["emulators"] if one["installed"]]
        self.assertEqual(len(sources), 1, sources)
        return sources[0]

    def assert_refused(self, done, emud, *reasons):
        self.assert_status(done, 1)
        for reason in reasons:
            self.assertIn(reason, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assert_nothing_left(emud)

    def assert_nothing_left(self, emud, installed=()):
        self.assertEqual(self.installed(emud), list(installed), "in the store")
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
        self.assert_nothing_left(emud, [sha256(self.binary)])
        status = self.emuctl("run", "-a", "aarch64", "--", guest("exit-with"), "7", emud=emud)
        self.assert_status(status, 7)
