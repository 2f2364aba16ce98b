"""The store under many hands: the same asked for by ten at once, a full disk."""

from essentials import ctypes, libc
from mirrors import *

TEN = 10
MS_REMOUNT, MNT_DETACH = 32, 2


class StoreCase(TestCase):
    """A package with the machine's own emulators for two architectures, behind a mirror that counts."""

    def setUp(self):
        super().setUp()
        self.binaries = {}
        for name in ("aarch64", "arm"):
            emulator = machine_emulator(name)
            self.require(emulator, f"this machine has no static emulator for {name} to put into a package")
            self.binaries[name] = pathlib.Path(emulator).read_bytes()
        self.digests = sorted(sha256(binary) for binary in self.binaries.values())
        self.package = debian_package({f"usr/bin/qemu-{name}-static": binary for name, binary in self.binaries.items()})

    def mirror(self, content=None):
        mirror = Mirror(content or self.package)
        self.addCleanup(mirror.close)
        return mirror

    def home(self, user=ALICE):
        """A home of that user's, and the environment to use it."""
        home = self.temporary_directory(user)
        return home, {"XDG_DATA_HOME": str(home / "data"), "XDG_RUNTIME_DIR": str(home / "run"), "HOME": str(home)}

    def words(self, mirror, *more, path="/good/x.deb"):
        return ["emulator", "install", "--url", mirror.url(path), "--sha256", sha256(mirror.content), *more]

    def names(self, store):
        """The names in a store; temporaries would be among them."""
        return sorted(entry.name for entry in store.iterdir()) if store.exists() else []

    def all_at_once(self, words, status=0, **options):
        """What ten clients that ask at the same time print: [(stdout, stderr)]."""
        clients = [self.start_emuctl(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
                   for _ in range(TEN)]
        said = [client.communicate(timeout=SECONDS_TO_RUN) for client in clients]
        for client, (out, err) in zip(clients, said):
            self.assertEqual(client.returncode, status, out + err)
        return said


class TenAtOnce(StoreCase):
    def check(self, store, *more, **options):
        mirror = self.mirror()
        self.all_at_once(self.words(mirror, *more), **options)
        self.assertEqual(len(mirror.requests), 1)
        self.assertEqual(self.names(store), self.digests)
        # One of the package's, all of it, and a binary of it: there already.
        binary = self.mirror(self.binaries["arm"])
        for words in (self.words(mirror, "arm"), self.words(mirror), self.words(binary, path="/good/qemu-arm")):
            self.assert_status(self.emuctl(*words, *more, **options), 0)
        self.assertEqual(len(mirror.requests) + len(binary.requests), 1)
        # What was removed is fetched again.
        self.assert_status(self.emuctl("emulator", "remove", self.digests[0], *more, **options), 0)
        self.all_at_once(self.words(mirror, *more), **options)
        self.assertEqual(len(mirror.requests), 2)
        self.assertEqual(self.names(store), self.digests)

    def test_through_emud(self):
        emud = self.start_emud()
        self.check(emud.state / "store", user=ROOT)

    def test_through_emud_what_is_bad_is_fetched_once(self):
        emud = self.start_emud()
        mirror = self.mirror()
        said = self.all_at_once(self.words(mirror, path="/flipped/100"), status=1, user=ROOT)
        self.assertTrue(all("SHA-256" in err for _, err in said), said)
        self.assertLess(len(mirror.requests), TEN)
        self.assertEqual(self.names(emud.state / "store"), [])

    def test_rootless(self):
        home, env = self.home()
        self.check(home / "data/emud/store", "--rootless", env=env)


def mount_tmpfs(path, size, user=ROOT, flags=0):
    data = f"size={size},mode=755,uid={user.uid},gid={user.uid}".encode()
    if libc.mount(b"tmpfs", str(path).encode(), b"tmpfs", flags, data) != 0:
        raise OSError(ctypes.get_errno(), f"mount {path}")


class FullDisk(StoreCase):
    """A disk that fills in each step of an installation: what was written where, and what to do."""

    def steps(self, steps, directory, install, user=ROOT):
        """(size of the disk, words of the error) in the order of the steps."""
        for size, *words in steps:
            with self.subTest(words=words):
                mount_tmpfs(directory, size, user, MS_REMOUNT)
                done = install()
                self.assert_status(done, 1)
                for word in (*words, str(directory), "No space left on device", "Free some space"):
                    self.assertIn(word, done.stderr)
                self.assertEqual(self.names(directory / "emud/store" if user != ROOT else directory / "store"), [])
        self.assertLess(os.statvfs(directory).f_blocks - os.statvfs(directory).f_bfree, 32, "blocks are not free again")
        mount_tmpfs(directory, 2 ** 28, user, MS_REMOUNT)
        self.assert_status(install(), 0)

    def sizes(self, copies):
        """A disk with room for that many copies of the package but one, that fills in the last, in unpacking, in the store,
        in what is composed there."""
        package, first = len(self.package), len(self.binaries["aarch64"])
        unpacked = sum(len(binary) for binary in self.binaries.values())
        return {"copy": copies * package - package // 2, "unpack": copies * package + first // 2,
                "store": copies * package + unpacked + first // 2,
                "compose": copies * package + unpacked + first + first // 2}

    def test_by_url_through_emud(self):
        emud = Emud()
        self.emuds.append(emud)
        self.addCleanup(self.end_emud, emud)
        emud.state.mkdir()
        mount_tmpfs(emud.state, 2 ** 20)
        self.addCleanup(lambda: libc.umount2(str(emud.state).encode(), MNT_DETACH))
        emud.start()
        mirror = self.mirror()
        url = mirror.url("/good/x.deb")
        size = self.sizes(2)
        self.steps([(len(self.package) // 2, f"write {url}"), (size["copy"], f"write a copy of {url}"),
                    (size["unpack"], "write usr/bin/qemu-aarch64-static"), (size["store"], "write qemu-aarch64"),
                    (size["compose"], "write run/qemu-aarch64")],
                   emud.state, lambda: self.emuctl(*self.words(mirror), user=ROOT))

    def test_a_file_rootless(self):
        home, env = self.home()
        data = home / "data"
        data.mkdir()
        mount_tmpfs(data, 2 ** 20, ALICE)
        self.addCleanup(lambda: libc.umount2(str(data).encode(), MNT_DETACH))
        file = home / "x.deb"
        file.write_bytes(self.package)
        words = ("emulator", "install", "--rootless", "--file", file, "--sha256", sha256(self.package))
        size = self.sizes(1)
        self.steps([(size["copy"], f"write a copy of {file}"), (size["unpack"], "write usr/bin/qemu-aarch64-static"),
                    (size["store"], "write qemu-aarch64"), (size["compose"], "write run/qemu-aarch64")], data, lambda: self.emuctl(*words, env=env), ALICE)


if __name__ == "__main__":
    main()
