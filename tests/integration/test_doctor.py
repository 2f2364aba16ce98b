"""`emuctl doctor` on real faults: it finds each, says how it is mended, and changes nothing."""

import contextlib
import platform
import socket

from essentials import *

NIX_CONF = pathlib.Path("/etc/nix/nix.conf")
MS_RDONLY, MS_REMOUNT, MS_BIND, MNT_DETACH = 1, 32, 4096, 2
# What depends on the machine that the tests run on, not on what they do to it.
OF_THE_MACHINE = {"memory-low", "disk-store-low", "disk-temporary-low", "cgroup-v1", "docker", "subuid-missing",
                  "newuidmap-missing", "emulator-dynamic", "seccomp-filter", "store-corrupt", "store-broken", "store-untrusted"}
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
SYS_unshare, SYS_clone3 = {"x86_64": 272, "aarch64": 97}, 435


def magic():
    """aarch64's, as it is registered."""
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00"
    return "".join(f"\\x{byte:02x}" for byte in header)


def forbid_namespaces():
    """As a container does: seccomp(2) with a program that answers unshare(2) with EPERM, clone3(2) with ENOSYS, and allows the
    rest."""
    no_new_privileges()
    code = b"".join(struct.pack("<HBBI", *one) for one in (
        (0x20, 0, 0, 0),  # the number of the call
        (0x15, 0, 1, SYS_unshare[platform.machine()]),
        (0x06, 0, 0, 0x00050000 | errno.EPERM),
        (0x15, 0, 1, SYS_clone3),
        (0x06, 0, 0, 0x00050000 | errno.ENOSYS),
        (0x06, 0, 0, 0x7fff0000),
    ))
    buffer = ctypes.create_string_buffer(code)
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.create_string_buffer(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


@contextlib.contextmanager
def in_place_of(path, text):
    """Another content of a file that cannot be written."""
    with tempfile.NamedTemporaryFile("w", prefix="instead-", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.chmod(file.name, 0o644)
        if libc.mount(file.name.encode(), str(path).encode(), None, MS_BIND, None) != 0:
            raise OSError(ctypes.get_errno(), f"mount over {path}")
        try:
            yield
        finally:
            libc.umount2(str(path).encode(), MNT_DETACH)


class Doctor(TestCase):
    def setUp(self):
        super().setUp()
        self.require(machine_emulator("aarch64"), "this machine has no static emulator of its own")
        NIX_CONF.parent.mkdir(exist_ok=True)
        NIX_CONF.write_text("")  # whatever the machine has

    def doctor(self, status, *words, **options):
        """The findings by id."""
        done = self.emuctl("doctor", "--json", *words, **options)
        self.assert_status(done, status)
        report = json.loads(done.stdout)
        self.assertEqual(report["ready"], status == 0)
        found = {one["id"]: one for check in report["checks"] for one in check["findings"]}
        for one in found.values():
            self.assertTrue(one["what"] and one["meaning"] and one["mend"], one)
            # A shell makes sense of every mend.
            self.assertEqual(run(["bash", "-n"], input=one["mend"]).stderr, "")
        return found

    def assert_found(self, status, wanted, *words, **options):
        """Exactly these findings: id -> level. Returns them."""
        found = {name: one for name, one in self.doctor(status, *words, **options).items()
                 if name not in OF_THE_MACHINE or name in wanted}
        self.assertEqual({name: one["level"] for name, one in found.items()}, wanted, found)
        return found

    def test_healthy(self):
        self.start_emud()
        before = handlers(), mounts()
        for user in ALICE, CAROL, ROOT:
            self.assert_found(0, {}, user=user)
        self.assertEqual((handlers(), mounts()), before)

    def test_healthy_in_words(self):
        self.start_emud()
        done = self.emuctl("doctor", "--verbose")
        self.assert_status(done, 0)
        self.assertIn("ok: ", done.stdout)
        found = {line.rpartition("[")[2].rstrip("]") for line in done.stdout.splitlines() if line.endswith("]")}
        self.assertLessEqual(found, OF_THE_MACHINE)
        if not found:
            self.assertEqual(self.emuctl("doctor").stdout, "All is well: builds for other architectures can run here.\n")

    def test_no_emud(self):
        missing = str(self.temporary_directory(ALICE) / "socket")
        found = self.assert_found(3, {"socket-missing": "error"}, env={"EMUD_SOCKET": missing})
        self.assertIn(missing, found["socket-missing"]["what"])
        self.assert_found(0, {"socket-missing": "note"})  # at the default path: rootless will do

    def test_socket_that_nobody_listens_at(self):
        directory = self.temporary_directory(ALICE)
        path = directory / "socket"
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(path))
        path.chmod(0o666)
        self.assert_found(3, {"socket-dead": "error"}, env={"EMUD_SOCKET": str(path)})

    def test_socket_that_may_not_be_used(self):
        emud = self.start_emud()
        emud.socket.chmod(0o600)
        found = self.assert_found(3, {"socket-forbidden": "error"})
        self.assertIn(f"chmod 0666 {emud.socket}", found["socket-forbidden"]["mend"])

    def test_socket_of_somebody_else(self):
        path = self.temporary_directory(ALICE) / "socket"
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(path))
            one.listen()
            path.chmod(0o666)
            process = self.start_emuctl("doctor", "--json", env={"EMUD_SOCKET": str(path)}, stdout=subprocess.PIPE, text=True)
            with one.accept()[0] as peer:
                peer.sendall(b"220 not emud\r\n\0")
                out, _ = process.communicate(timeout=SECONDS_TO_RUN)
        self.assertEqual(process.returncode, 3)
        self.assertIn('"socket-not-emud"', out)

    def test_session_older_than_the_membership(self):
        """emud asks the databases: who was added just now need not log in again."""
        self.start_emud("--private", "group")
        late = User("carol", CAROL.uid)
        self.assert_found(0, {}, user=late)
        self.assert_status(self.emuctl("run", "-a", "aarch64", "--", guest("hello-arm64"), user=late), 0)

    def test_private_leases_for_the_group_only(self):
        self.start_emud("--private", "group")
        found = self.assert_found(0, {"group-not-member": "warning"})
        self.assertEqual(found["group-not-member"]["mend"], "sudo usermod --append --groups emud alice")
        self.assert_status(self.emuctl("run", "-a", "aarch64", "--", "true"), 125)

    def test_another_group(self):
        self.start_emud("--private", "group", "--group", "nixbld")
        found = self.assert_found(0, {"group-not-member": "warning"}, user=CAROL)
        self.assertIn("nixbld", found["group-not-member"]["what"])
        self.assertEqual(found["group-not-member"]["mend"], "sudo usermod --append --groups nixbld carol")

    def test_group_that_does_not_exist(self):
        self.start_emud("--group", "no-such-group")
        found = self.assert_found(0, {"group-missing": "note"})
        self.assertTrue(found["group-missing"]["mend"].startswith("sudo groupadd --system no-such-group\n"))

    def test_filter_that_forbids_user_namespaces(self):
        """As in a container: emud refuses who is under a filter, and --rootless cannot work."""
        self.require(platform.machine() in SYS_unshare, "the number of unshare(2) is not known here")
        self.start_emud()
        self.assert_found(3, {"userns-seccomp": "error"}, preexec_fn=forbid_namespaces)
        for words in ((), ("--rootless",)):
            self.assert_status(self.emuctl("run", *words, "-a", "aarch64", "--", "true", preexec_fn=forbid_namespaces), 125)

    def test_binfmt_misc_not_mounted(self):
        self.start_emud()
        self.assertEqual(libc.umount2(BINFMT_MISC.encode(), MNT_DETACH), 0)
        try:
            self.assert_found(0, {"binfmt-not-mounted": "note"})
        finally:
            self.assertEqual(libc.mount(b"binfmt_misc", BINFMT_MISC.encode(), b"binfmt_misc", 0, None), 0)

    def test_binfmt_misc_read_only(self):
        self.start_emud()
        path = BINFMT_MISC.encode()
        self.assertEqual(libc.mount(None, path, None, MS_REMOUNT | MS_BIND | MS_RDONLY, None), 0)
        try:
            self.assert_found(0, {"binfmt-read-only": "warning"})
        finally:
            self.assertEqual(libc.mount(None, path, None, MS_REMOUNT | MS_BIND, None), 0)

    def test_binfmt_misc_switched_off(self):
        self.start_emud()
        switch = pathlib.Path(BINFMT_MISC, "status")
        switch.write_text("0")
        try:
            self.assert_found(0, {"binfmt-switched-off": "warning"})
        finally:
            switch.write_text("1")

    def test_no_user_namespaces(self):
        limit = pathlib.Path("/proc/sys/user/max_user_namespaces")
        before = limit.read_text()
        limit.write_text("0")
        try:
            found = self.assert_found(3, {"userns-disabled": "error", "socket-missing": "error"})
            self.assertIn("sysctl -w user.max_user_namespaces=", found["userns-disabled"]["mend"])
            self.assert_status(self.emuctl("run", "--rootless", "-a", "aarch64", "--", "true"), 125)
        finally:
            limit.write_text(before)

    def test_handlers_of_others(self):
        self.start_emud()
        for flags, wanted in (("F", {}), ("", {"handler-no-fix-binary": "warning"}), ("CF", {"handler-credentials": "warning"})):
            with self.subTest(flags=flags):
                register_by_hand("others", magic(), machine_emulator("aarch64"), flags)
                found = self.assert_found(0, wanted)
                for one in found.values():
                    self.assertEqual(one["mend"], f"echo -1 | sudo tee {BINFMT_MISC}/others")
                self.assertIn("others is somebody else's handler for aarch64", self.emuctl("doctor", "--verbose").stdout)
                if "C" in flags:
                    NIX_CONF.write_text("filter-syscalls = false\n")
                    self.assert_found(3, {"nix-root-hole": "error"} | wanted)
                    NIX_CONF.write_text("")
                unregister_by_hand("others")

    def test_nix_conf(self):
        self.start_emud()
        NIX_CONF.write_text("sandbox = false\ntrusted-users = root *\nfilter-syscalls = false\n")
        self.assert_found(0, {"nix-sandbox-off": "warning", "nix-trusts-everyone": "warning",
                              "nix-syscalls-unfiltered": "warning"})

    def test_little_memory_and_no_swap(self):
        self.start_emud()
        with in_place_of("/proc/meminfo", "MemTotal:        4030000 kB\nSwapTotal:             0 kB\n"):
            self.assert_found(0, {"memory-low": "warning"})
        with in_place_of("/proc/meminfo", "MemTotal:        4030000 kB\nSwapTotal:       8388604 kB\n"):
            self.assertNotIn("memory-low", self.doctor(0))

    def test_docker_and_no_handler_on_the_host(self):
        self.start_emud()
        docker = pathlib.Path("/run/docker.sock")
        docker.touch()
        self.addCleanup(docker.unlink)
        found = self.assert_found(0, {"docker": "note"})
        self.assertIn("emuctl run --scope host -a aarch64 -- docker build .", found["docker"]["mend"])
        self.assert_status(self.emuctl("register", "aarch64", user=CAROL), 0)
        self.assertNotIn("docker", self.doctor(0))
        self.assert_status(self.emuctl("unregister", "aarch64", user=CAROL), 0)

    def test_known_problem_of_an_emulator(self):
        self.start_emud("--no-fetch")
        self.assert_status(self.emuctl("run", "-a", "aarch64", "--", "true"), 0)  # now it is in the store
        catalog = self.temporary_directory()
        catalog.chmod(0o755)
        notes = catalog / "notes.json"
        notes.write_text(json.dumps({"version": 1, "packages": [], "notes": [
            {"before": "99", "effect": "slow", "text": "It is slow", "instead": "Use another"}]}))
        environment = {"EMUD_CATALOG_DIR": str(catalog)}
        found = self.assert_found(0, {"emulator-note": "note"}, env=environment)
        self.assertIn("for aarch64: It is slow. Use another", found["emulator-note"]["what"])
        self.assertEqual(found["emulator-note"]["mend"], "sudo emuctl emulator install aarch64")
        notes.write_text("{}")
        self.assert_found(0, {"catalog-broken": "warning"}, env=environment)

    def test_no_emulator(self):
        self.start_emud()
        with contextlib.ExitStack() as hidden:
            for path in pathlib.Path("/usr/bin").glob("qemu-*"):
                hidden.enter_context(in_place_of(path, ""))
            found = self.assert_found(3, {"emulator-none": "error"})  # the tests' catalog is empty
            self.assertIn("qemu-user", found["emulator-none"]["mend"])
            environment = {"EMUD_DATA": str(SOURCE_DIR / "packaging")}
            found = self.assert_found(0, {"emulator-none": "note"}, env=environment)
            self.assertEqual(found["emulator-none"]["mend"], "sudo emuctl emulator install aarch64")

    def test_corrupted_emulator(self):
        self.assert_status(self.emuctl("run", "--rootless", "-a", "aarch64", "--", "true"), 0)
        [binary] = pathlib.Path(ALICE.home).glob(".local/share/emud/store/*/qemu-aarch64")
        self.addCleanup(shutil.rmtree, pathlib.Path(ALICE.home, ".local"))
        binary.chmod(0o755)
        with open(binary, "r+b") as file:
            file.seek(100_000)
            file.write(b"\xff" * 16)
        done = self.emuctl("doctor", "--json")
        self.assert_status(done, 3)
        [corrupt] = [one for check in json.loads(done.stdout)["checks"] for one in check["findings"] if one["id"] == "store-corrupt"]
        self.assertEqual(corrupt["level"], "error")
        self.assertIn(binary.parent.name[:12], corrupt["mend"])
        self.assert_status(self.emuctl("emulator", "remove", "--rootless", binary.parent.name[:12]), 0)
        self.assert_found(0, {"socket-missing": "note"})

    def test_home_of_somebody_else(self):
        home = self.temporary_directory()  # root's, mode 0700
        (home / ".local/share/emud/store").mkdir(parents=True)
        environment = {"HOME": str(home)}
        found = self.assert_found(3, {"socket-missing": "note", "store-forbidden": "error"}, env=environment)
        self.assertTrue(found["store-forbidden"]["mend"].startswith("export HOME=$(getent passwd alice "))
        self.assert_status(self.emuctl("run", "--rootless", "-a", "aarch64", "--", "true", env=environment), 125)
        self.start_emud()
        self.assert_found(0, {"store-forbidden": "warning"}, env=environment)

    def test_the_list_of_findings(self):
        listed = json.loads(self.emuctl("doctor", "--list", "--json").stdout)["findings"]
        self.assertGreater(len(listed), 30)
        text = self.emuctl("doctor", "--list").stdout
        for one in listed:
            self.assertIn(f"{one['id']} ({one['levels']})\n  {one['meaning']}.\n", text)


if __name__ == "__main__":
    main()
