"""The store and who uses it: leases without emud keep their emulator, several are removed together or not at all, additions to
the catalog, what a rootless user reads of the system's store, and no connection for what is there."""

import fcntl
import socket
import threading
import time

import other_emulator

from catalog_case import *
from essentials import libc

MS_BIND, MNT_DETACH = 4096, 2
HOLD = ("sh", "-c", "echo; read x")


class UseCase(CatalogCase):
    def home(self):
        """A home of alice's, and the environment to use it without emud."""
        home = self.temporary_directory(ALICE)
        return home / "emud", {"XDG_DATA_HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run"), "EMUD_DATA": str(SCRATCH),
                               "EMUD_MIRRORS": self.mirror.url}

    def hold(self, version, *words, **options):
        """A lease without emud, until its stdin ends: the process."""
        holder = self.start_emuctl("run", "--rootless", *words, "-a", "aarch64", "--emulator", version, "--", *HOLD,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
        self.addCleanup(holder.communicate)
        self.assertEqual(holder.stdout.readline(), b"\n")
        return holder

    def rootless(self, *words, env, status=0):
        done = self.emuctl("emulator", words[0], "--rootless", *words[1:], env=env)
        self.assert_status(done, status)
        return done

    def own(self, env):
        return sorted((one["architecture"], one["version"])
                      for one in json.loads(self.rootless("list", "--json", env=env).stdout)["emulators"] if one["installed"])

    def tree(self, directory):
        """All below it with what changes when somebody writes there."""
        paths = [directory, *sorted(directory.rglob("*"))]
        return [(str(path), path.stat().st_ino, path.stat().st_ctime_ns) for path in paths]


class OwnStore(UseCase):
    def test_leftovers_of_killed_installations_are_swept(self):
        state, env = self.home()
        self.rootless("install", "arm", "--emulator", self.two, env=env)
        left = [state / "store" / f".tmp-{number:016x}" for number in range(3)]
        for path in left:
            path.mkdir(mode=0o700)
            (path / "qemu-arm").write_bytes(b"half of it")
            os.chown(path, ALICE.uid, ALICE.uid)
            os.chown(path / "qemu-arm", ALICE.uid, ALICE.uid)
        running = os.open(left[0], os.O_RDONLY)
        fcntl.flock(running, fcntl.LOCK_EX)  # as an installation that runs does
        self.assert_status(self.emuctl("run", "--rootless", "-a", "arm", "--", "true", env=env), 0)
        self.assertEqual([path.exists() for path in left], [True, False, False])
        os.close(running)
        self.rootless("list", env=env)
        self.assertFalse(left[0].exists())
        self.assertEqual([len(path.name) for path in (state / "store").iterdir() if path.name.startswith(".")], [])

    def test_a_lease_keeps_its_emulator(self):
        state, env = self.home()
        self.rootless("install", "aarch64", "arm", "--emulator", self.two, env=env)
        digest, other = self.digests["qemu-two", "aarch64"], self.digests["qemu-two", "arm"]
        holders = [self.hold(self.two, env=env) for _ in range(2)]
        names = sorted(f"lease rootless-{holder.pid}" for holder in holders)
        listed = json.loads(self.rootless("list", "--json", env=env).stdout)["emulators"]
        self.assertEqual(sorted(next(one for one in listed if one["digest"] == digest)["usedBy"]), names)
        for words in ((digest,), (other, digest), (self.two,)):
            said = self.rootless("remove", *words, env=env, status=1).stderr
            for word in (*names, f"aarch64: QEMU {self.two} ({digest})"):
                self.assertIn(word, said)
        self.assertIn(other, [path.name for path in (state / "store").iterdir()], "all or nothing")
        holders[0].kill()  # the lock goes with the lease, however it ends
        holders[1].communicate(b"\n", timeout=SECONDS_TO_RUN)
        holders[0].wait()
        self.assertTrue(self.free_within(lambda: self.emuctl("emulator", "remove", "--rootless", digest, env=env)))
        self.assertIn(other, [path.name for path in (state / "store").iterdir()])

    def free_within(self, attempt, seconds=SECONDS_TO_END):
        """A keeper that was left alone ends a moment after its emuctl."""
        deadline = time.monotonic() + seconds
        while attempt().returncode != 0:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def test_verify_moves_aside_what_changed(self):
        state, env = self.home()
        self.rootless("install", "arm", "riscv64", "--emulator", self.two, env=env)
        digest = self.digests["qemu-two", "arm"]
        binary = state / "store" / digest / "qemu-arm"
        content = bytearray(binary.read_bytes())
        content[1000] ^= 1
        binary.chmod(0o755)
        binary.write_bytes(content)
        done = self.rootless("verify", env=env, status=1)
        self.assertIn(f"BAD: verify emulator {binary}", done.stdout)
        self.assertEqual([path.name[:64] for path in (state / "quarantine").iterdir()], [digest])
        self.assertEqual(self.own(env), [("riscv64", self.two)])
        self.rootless("verify", env=env)


class Removal(UseCase):
    def check(self, remove, installed):
        before = installed()
        self.assertEqual(len(before), 4)
        for words, culprit in (((self.two, "1.2.3"), "1.2.3"), (("f" * 64, self.one), "f" * 64), ((self.two[:-1] + "x",), "x")):
            done = remove(*words)
            self.assert_status(done, 1)
            self.assertIn(culprit, done.stderr)
            self.assertEqual(installed(), before, words)
        arm = self.digests["qemu-one", "arm"]
        done = remove(arm, self.two, arm[:10])  # each once
        self.assert_status(done, 0)
        self.assertEqual(len(done.stdout.splitlines()), 3, done.stdout)
        self.assertEqual(installed(), [("aarch64", self.one)])
        self.assert_status(remove(self.one.rpartition(".")[0]), 0)  # as --emulator has it
        self.assertEqual(installed(), [])

    def test_through_emud(self):
        self.start_emud()
        for version in (self.one, self.two):
            self.assert_status(self.install("aarch64", "arm", "--emulator", version), 0)
        with self.start_emuctl("run", "-a", "aarch64", "--emulator", self.two, "--", *HOLD, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE) as holder:
            holder.stdout.readline()
            done = self.emuctl("emulator", "remove", self.one, self.two, user=CAROL)
            self.assert_status(done, 1)
            self.assertIn(f"aarch64: QEMU {self.two} ({self.digests['qemu-two', 'aarch64']}): in use by lease", done.stderr)
            self.assertEqual(len(self.installed()), 4)
            holder.communicate(b"\n", timeout=SECONDS_TO_RUN)
        self.check(lambda *words: self.emuctl("emulator", "remove", *words, user=CAROL), self.installed)

    def test_rootless(self):
        _, env = self.home()
        for version in (self.one, self.two):
            self.rootless("install", "aarch64", "arm", "--emulator", version, env=env)
        self.check(lambda *words: self.emuctl("emulator", "remove", "--rootless", *words, env=env), lambda: self.own(env))


class SystemStore(UseCase):
    """The store of emud, where a user without emud reads it."""

    def setUp(self):
        super().setUp()
        self.mount("tmpfs", "/var/lib", "tmpfs", 0)
        os.mkdir("/var/lib/emud")

    def mount(self, source, target, kind, flags):
        self.assertEqual(libc.mount(str(source).encode(), target.encode(), kind.encode(), flags, None), 0)
        self.addCleanup(lambda: libc.umount2(target.encode(), MNT_DETACH))

    def start_system(self, *options):
        emud = self.start_emud(*options)
        self.mount(emud.state, "/var/lib/emud", "", MS_BIND)
        return emud

    def test_is_read_and_never_written(self):
        emud = self.start_system("--default-emulator", self.one)
        self.assert_status(self.install("aarch64", "riscv64", "--emulator", self.two), 0)
        before = self.tree(emud.state)
        state, env = self.home()
        digest = self.digests["qemu-two", "aarch64"]
        holder = self.hold(self.two, "--no-fetch", env=env)
        self.assertFalse((state / "store" / digest).exists(), "it was copied")
        for words, status in ((("verify",), 0), (("prune",), 0), (("remove", self.digests["qemu-two", "riscv64"]), 1),
                              (("install", "riscv64", "--emulator", self.two), 0), (("list",), 0)):
            said = self.rootless(*words, env=env, status=status).stderr
            if status:
                self.assertIn("the system's store", said)
        self.assertEqual(self.tree(emud.state), before)
        self.assertEqual(len(self.mirror.requests), 1, "emud's")
        # emud sees what such a lease uses.
        lease = f"lease rootless-{holder.pid}"
        self.assertEqual(next(one for one in self.listed() if one["digest"] == digest)["usedBy"], [lease])
        done = self.emuctl("emulator", "remove", self.two, user=CAROL)
        self.assert_status(done, 1)
        self.assertIn(f"in use by {lease}", done.stderr)
        self.assert_status(self.emuctl("emulator", "prune", user=CAROL), 0)
        self.assertEqual([name for name in self.store(emud) if name == digest], [digest])
        holder.communicate(b"\n", timeout=SECONDS_TO_RUN)
        self.assert_status(self.emuctl("emulator", "prune", user=CAROL), 0)
        self.assertNotIn(digest, self.store(emud))


class Additions(UseCase):
    """/etc/emud/catalog.d."""

    FOLDER = pathlib.Path("/etc/emud/catalog.d")

    def setUp(self):
        super().setUp()
        self.FOLDER.mkdir(parents=True, exist_ok=True)
        self.whole = json.loads(self.catalog.read_text(encoding="utf-8"))
        self.base = self.temporary_directory()
        self.base.chmod(0o755)
        self.write(self.base / "catalog.json", "qemu-one")

    def write(self, path, package, **changes):
        packages = [entry | changes for entry in self.whole["packages"] if entry["package"] == package]
        path.write_text(json.dumps({"version": 1, "packages": packages, "notes": []}), encoding="utf-8")
        self.addCleanup(path.unlink, missing_ok=True)

    def test_extend_the_catalog(self):
        emud = TestCase.start_emud(self, "--catalog", self.base / "catalog.json", "--mirror", self.mirror.url)
        state, env = self.home()
        env["EMUD_DATA"] = str(self.base)
        self.assertNotIn(self.two, self.emuctl("emulator", "list").stdout)
        self.write(self.FOLDER / "more.json", "qemu-two")
        (self.FOLDER / "README").write_text("no catalog", encoding="utf-8")
        self.addCleanup((self.FOLDER / "README").unlink)
        self.assertIn(self.two, self.emuctl("emulator", "list").stdout, "without a restart")
        self.assert_status(self.install("arm", "--emulator", self.two), 0)
        self.assertEqual(self.store(emud), [self.digests["qemu-two", "arm"]])
        self.rootless("install", "arm", "--emulator", self.two, env=env)
        self.assertEqual(self.names(state), [self.digests["qemu-two", "arm"]])

    def names(self, state):
        return sorted(path.name for path in (state / "store").iterdir())

    def test_a_bad_file_is_named_with_its_key(self):
        TestCase.start_emud(self, "--catalog", self.base / "catalog.json", "--mirror", self.mirror.url)
        _, env = self.home()
        env["EMUD_DATA"] = str(self.base)
        bad = self.FOLDER / "bad.json"
        for key, changes in (("packages[0].size", {"size": "large"}), ("packages[0].sha256", {"sha256": "abc"}),
                             ("packages[0].host", {"host": 5}), ("packages[0].colour", {"colour": "red"})):
            with self.subTest(key=key):
                self.write(bad, "qemu-two", **changes)
                for done in (self.emuctl("emulator", "list"), self.install("arm", "--emulator", self.two),
                             self.emuctl("emulator", "list", "--rootless", env=env)):
                    self.assertNotEqual(done.returncode, 0)
                    self.assertEqual(done.stdout, "")
                    self.assertIn(f"{bad}: {key}: ", done.stderr)
        bad.unlink()
        self.assertNotIn(self.two, self.emuctl("emulator", "list").stdout)


class Offline(UseCase):
    """What was fetched once needs no connection: a proxy for everything counts them."""

    def proxy(self):
        """The address of a listener, and the connections it has seen."""
        seen = []
        listener = socket.create_server(("127.0.0.1", 0))

        def serve():
            while True:
                try:
                    connection, address = listener.accept()
                except OSError:
                    return
                seen.append(address)
                connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()

        def end():
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()

        self.addCleanup(end)
        return f"http://127.0.0.1:{listener.getsockname()[1]}", seen

    def commands(self, hello, *options, **more):
        for words in (("run", *options, "-a", "aarch64", "--", hello), ("run", *options, "--no-fetch", "-a", "aarch64", "--", hello),
                      ("run", *options, "-a", "aarch64", "--emulator", self.two, "--", hello), ("probe", *options, "aarch64"),
                      ("emulator", "install", *options[:1], "aarch64", "arm", "--emulator", self.two),
                      ("emulator", "list", *options[:1]), ("emulator", "verify", *options[:1])):
            with self.subTest(words=words):
                self.assert_status(self.emuctl(*words, **more), 0)

    def test_through_emud(self):
        emud = self.start_emud()
        self.assert_status(self.install("aarch64", "arm", "--emulator", self.two), 0)
        self.assertEqual(emud.stop(), 0)
        address, seen = self.proxy()
        emud.options += ("--proxy", address)
        emud.start()
        self.commands(guest("hello-arm64"), user=CAROL)
        self.assert_status(self.emuctl("register", "aarch64", user=CAROL), 0)
        self.assert_status(self.emuctl("unregister", "aarch64", user=CAROL), 0)
        self.assert_status(self.emuctl("lease", "aarch64", user=CAROL), 0)
        self.assertEqual((len(self.mirror.requests), seen), (1, []))
        # The proxy sees what is not there, unless that is forbidden.
        for words, count in (((), True), (("--no-fetch",), False)):
            self.assert_status(self.emuctl("run", *words, "-a", "riscv64", "--emulator", self.two, "--", "true"), 125)
            self.assertEqual(len(seen) > 0, count)
            seen.clear()

    def test_rootless(self):
        _, env = self.home()
        self.rootless("install", "aarch64", "arm", "--emulator", self.two, env=env)
        address, seen = self.proxy()
        env |= {"http_proxy": address, "https_proxy": address, "all_proxy": address}
        self.commands(guest("hello-arm64"), "--rootless", env=env)
        self.assertEqual((len(self.mirror.requests), seen), (1, []))
        self.assert_status(self.emuctl("run", "--rootless", "-a", "riscv64", "--emulator", self.two, "--", "true", env=env), 125)
        self.assertGreater(len(seen), 0, "the proxy counts")


if __name__ == "__main__":
    if "EMUD_HERMETIC" not in os.environ:
        other_emulator.fetch()
    main()
