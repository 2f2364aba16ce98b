"""Emulators out of the catalog: fetched from a mirror on this machine, installed once, verified, pruned, whatever breaks."""

import fcntl
import json
import pty
import struct
import termios

import other_emulator
from catalog_case import *
from mirrors import wait_until


class Emulators(CatalogCase):
    def test_two_versions_of_four_architectures(self):
        emud = self.start_emud()
        for version in (self.one, self.two):
            done = self.install(*ARCHITECTURES, "--emulator", version)
            self.assert_status(done, 0)
        self.assertEqual(len(self.installed()), 8)
        self.assertEqual(len(self.mirror.requests), 2, "each package is fetched once")
        self.assert_whole(emud)
        for package in ("qemu-one", "qemu-two"):
            self.assertEqual(self.interpreter(self.versions[package]), self.digests[package, "aarch64"])
        manifest = json.loads((emud.state / "store" / self.digests["qemu-two", "arm"] / "manifest.json").read_text())
        self.assertEqual(manifest["source"], f"{self.mirror.url}/pool/main/q/qemu-two/qemu-two_2_amd64.deb")
        self.assertEqual(manifest["version"], self.two)
        # Again: at once, without the network.
        self.mirror.close()
        self.assert_status(self.install(*ARCHITECTURES, "--emulator", self.two), 0)
        for package, version in self.versions.items():
            self.assert_right(package, ".".join(version.split(".")[:2]))
        table = self.emuctl("emulator", "list").stdout
        self.assertIn(self.two, table)
        self.assertIn("aarch64, arm, riscv64, s390x", table)

    def assert_right(self, package, short):
        """Of a version as one types it: programs of every architecture run by that package's emulators."""
        done = self.emuctl("probe", "--json", "--emulator", short, *ARCHITECTURES)
        self.assert_status(done, 0)
        self.assertEqual({one["architecture"]: one["ready"] for one in json.loads(done.stdout)["probes"]},
                         dict.fromkeys(ARCHITECTURES, True))
        self.assert_status(self.emuctl("probe", "--deep", "--check", "uname", "--emulator", short, "aarch64"), 0)
        wanted = [word for name in ARCHITECTURES for word in ("-a", name)]
        interpreters = [f"{BINFMT_MISC}/emud-{name}" for name in ARCHITECTURES]
        done = self.emuctl("run", *wanted, "--emulator", short, "--", "sh", "-c",
                           f"for file in {' '.join(interpreters)}; do $(sed -n 's/^interpreter //p' $file) --version; done; "
                           f"cat {' '.join(interpreters)}; {guest('hello-arm64')}")
        self.assert_status(done, 0)
        self.assertEqual(done.stdout.count(f" version {self.versions[package]}"), len(ARCHITECTURES), done.stdout)
        for name in ARCHITECTURES:
            self.assertIn(f"/{self.digests[package, name]}/", done.stdout)
        self.assertTrue(done.stdout.endswith("hello from aarch64\n"), done.stdout)

    def test_ten_clients_fetch_once(self):
        emud = self.start_emud()
        clients = [self.start_emuctl("emulator", "install", "aarch64", "--emulator", self.two, user=CAROL,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(10)]
        for client in clients:
            out, err = client.communicate(timeout=SECONDS_TO_RUN)
            self.assertEqual(client.returncode, 0, out + err)
        self.assertEqual(len(self.mirror.requests), 1)
        self.assertEqual(self.store(emud), [self.digests["qemu-two", "aarch64"]])

    def test_on_demand_unless_forbidden(self):
        self.start_emud()
        words = ("run", "-a", "aarch64", "--emulator", self.two, "--", guest("hello-arm64"))
        done = self.emuctl("run", "--no-fetch", *words[1:])
        self.assert_status(done, 125)
        self.assertIn("switched off", done.stderr)
        self.assertEqual(self.mirror.requests, [])
        done = self.emuctl(*words)
        self.assert_status(done, 0)
        self.assertEqual(done.stdout, "hello from aarch64\n")
        self.mirror.close()
        self.assert_status(self.emuctl(*words), 0)  # from now on without the network

    def test_no_source_has_it(self):
        emud = self.start_emud()
        shutil.move(SCRATCH / "mirror", SCRATCH / "gone")
        self.addCleanup(shutil.move, SCRATCH / "gone", SCRATCH / "mirror")
        done = self.install("aarch64", "--emulator", self.two)
        self.assert_status(done, 1)
        self.assertIn(self.mirror.url, done.stderr)
        self.assertEqual(self.store(emud), [])

    def test_who_may_install(self):
        self.start_emud()
        self.assert_status(self.install("aarch64", user=ALICE), 1)
        done = self.install("--url", f"{self.mirror.url}/x.deb", "--sha256", "0" * 64)
        self.assert_status(done, 1)
        self.assertIn("root", done.stderr)
        self.assertEqual(self.mirror.requests, [])

    def test_by_url(self):
        emud = self.start_emud()
        package = json.loads(self.catalog.read_text())["packages"]
        digest = next(entry["sha256"] for entry in package if entry["package"] == "qemu-two")
        url = f"{self.mirror.url}/pool/main/q/qemu-two/qemu-two_2_amd64.deb"
        self.assert_status(self.install("--url", url, "--sha256", "0" * 64, "arm", user=ROOT), 1)
        self.assertEqual(self.store(emud), [])
        self.assert_status(self.install("--url", url, "--sha256", digest, "arm", user=ROOT), 0)
        self.assertEqual(self.installed(), [("arm", self.two)])

    def test_verify_moves_aside_what_changed(self):
        emud = self.start_emud()
        self.assert_status(self.install("arm", "--emulator", self.two), 0)
        digest = self.digests["qemu-two", "arm"]
        binary = emud.state / "store" / digest / "qemu-arm"
        content = bytearray(binary.read_bytes())
        content[1000] ^= 1
        binary.chmod(0o755)
        binary.write_bytes(content)
        done = self.emuctl("emulator", "verify", user=CAROL)
        self.assert_status(done, 1)
        self.assertIn(f"BAD: verify emulator {binary}", done.stdout)
        moved = list((emud.state / "quarantine").iterdir())
        self.assertEqual([path.name[:64] for path in moved], [digest])
        self.assertEqual(self.installed(), [])
        self.assert_status(self.install("arm", "--emulator", self.two), 0)
        self.assert_whole(emud)

    def test_remove_and_prune_spare_what_is_used(self):
        emud = self.start_emud()
        for version in (self.one, self.two):
            self.assert_status(self.install("aarch64", "--emulator", version), 0)
        with self.start_emuctl("run", "-a", "aarch64", "--emulator", self.one, "--", "sh", "-c", "echo; read x",
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            holder.stdout.readline()
            lease = emud.leases()[0]
            done = self.emuctl("emulator", "remove", self.digests["qemu-one", "aarch64"], user=CAROL)
            self.assert_status(done, 1)
            self.assertIn(f"lease {lease}", done.stderr)
            used = {one["digest"]: one["usedBy"] for one in self.listed()}
            self.assertEqual(used[self.digests["qemu-one", "aarch64"]], [f"lease {lease}"])
            self.assert_status(self.emuctl("emulator", "prune", user=CAROL), 0)
            self.assertEqual(len(self.installed()), 2, "the default one and the one in use stay")
            holder.communicate(b"\n", timeout=SECONDS_TO_RUN)
        self.assert_status(self.emuctl("emulator", "remove", self.digests["qemu-two", "aarch64"], user=CAROL), 0)
        self.assertEqual(self.installed(), [("aarch64", self.one)])

    def test_used_by_counts_leases_and_pins(self):
        self.start_emud()
        self.assert_status(self.install("aarch64", "--emulator", self.two), 0)
        words = ("-a", "aarch64", "--emulator", self.two, "--", "sh", "-c", "echo; read x")
        holders = [self.start_emuctl("run", *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
        holders += [self.start_emuctl("lease", "aarch64", "--emulator", self.two, user=CAROL, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE) for _ in range(2)]
        holders.append(self.start_emuctl("run", "--scope", "host", *words, user=CAROL, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE))
        for holder in holders:
            holder.stdout.readline()
        self.assert_status(self.emuctl("register", "aarch64", user=CAROL), 0)
        used = {one["digest"]: one["usedBy"] for one in self.listed()}[self.digests["qemu-two", "aarch64"]]
        self.assertEqual(len([user for user in used if user.startswith("lease ")]), 5, used)
        self.assertEqual([user for user in used if not user.startswith("lease ")], ["pin emud-aarch64"])
        row = next(line for line in self.emuctl("emulator", "list").stdout.splitlines() if line.startswith(f"{self.two} "))
        self.assertIn("  5 leases, 1 pin  ", row)
        for holder in holders:
            holder.communicate(b"\n", timeout=SECONDS_TO_RUN)

        def users():
            return {one["digest"]: one["usedBy"] for one in self.listed()}[self.digests["qemu-two", "aarch64"]]

        wait_until(lambda: len(users()) <= 1)  # emud hears of the end of a private lease after its client
        self.assertEqual(users(), ["pin emud-aarch64"])
        self.assert_status(self.emuctl("unregister", "aarch64", user=CAROL), 0)
        self.assertEqual([one["usedBy"] for one in self.listed() if one["usedBy"]], [])

    def on_terminal(self, columns, *words):
        """What emuctl prints on a terminal of that width."""
        terminal, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = self.start_emuctl(*words, stdout=end)
        os.close(end)
        shown = b""
        try:
            while data := os.read(terminal, 65536):
                shown += data
        except OSError:  # EIO: the other end is closed
            pass
        os.close(terminal)
        self.assertEqual(process.wait(SECONDS_TO_RUN), 0)
        return shown.decode().replace("\r\n", "\n")

    def test_list_fits_a_terminal_and_is_whole_in_a_pipe(self):
        self.start_emud()
        for version in (self.one, self.two):
            self.assert_status(self.install(*ARCHITECTURES, "--emulator", version), 0)
        for words in (("emulator", "list"), ("emulator", "list", "--installed")):
            narrow, wide, piped = self.on_terminal(80, *words), self.on_terminal(500, *words), self.emuctl(*words).stdout
            self.assertEqual(wide, piped)
            self.assertLessEqual({len(line) > 80 for line in narrow.splitlines() if "/" not in line}, {False})
            self.assertEqual(sorted(narrow.split()), sorted(piped.split()), "nothing is left out")

    def test_kill_at_any_time_leaves_a_whole_store(self):
        emud = self.start_emud()
        for step in range(8):
            client = self.start_emuctl("emulator", "install", *ARCHITECTURES, "--emulator", self.two, user=CAROL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                client.wait(0.1 * step * a_second())
            except subprocess.TimeoutExpired:
                pass
            emud.kill()
            client.wait(SECONDS_TO_END)
            emud.start()
            self.assert_whole(emud)
        self.assert_status(self.install(*ARCHITECTURES, "--emulator", self.two), 0)
        self.assertEqual(len(self.store(emud)), 4)

    def test_full_disk(self):
        emud = Emud("--catalog", self.catalog, "--mirror", self.mirror.url)
        self.mirror.server.handle_error = lambda *_: None  # the connection is cut
        self.addCleanup(shutil.rmtree, emud.directory)
        emud.state.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=755", "tmpfs", emud.state], check=True)
        self.addCleanup(subprocess.run, ["umount", emud.state], check=True)
        emud.start()
        self.addCleanup(emud.stop)
        done = self.install("aarch64", "--emulator", self.two, emud=emud)
        self.assert_status(done, 1)
        self.assertIn("No space left", done.stderr)
        self.assertEqual(self.store(emud), [])

    def test_rootless(self):
        home = self.temporary_directory(ALICE)
        environment = {"HOME": str(home), "EMUD_DATA": str(SCRATCH), "EMUD_MIRRORS": self.mirror.url}
        clients = [self.start_emuctl("emulator", "install", "--rootless", "arm", "--emulator", self.two, env=environment,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
        for client in clients:
            out, err = client.communicate(timeout=SECONDS_TO_RUN)
            self.assertEqual(client.returncode, 0, out + err)
        self.assertEqual(len(self.mirror.requests), 1)
        for verb in ("list", "verify", "prune"):
            self.assert_status(self.emuctl("emulator", verb, "--rootless", env=environment), 0)


if __name__ == "__main__":
    if "EMUD_HERMETIC" not in os.environ:
        other_emulator.fetch()
    main()
