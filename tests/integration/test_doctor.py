"""`emuctl doctor` on real faults: it finds each, says how it is mended, and changes nothing."""

import socket

from essentials import *

NIX_CONF = pathlib.Path("/etc/nix/nix.conf")
MS_RDONLY, MS_REMOUNT, MS_BIND, MNT_DETACH = 1, 32, 4096, 2
# What depends on the machine that the tests run on, not on what they do to it.
OF_THE_MACHINE = {"memory-low", "disk-store-low", "disk-temporary-low", "cgroup-v1", "container", "wsl", "registrar", "docker",
                  "subuid-missing", "newuidmap-missing", "emulator-dynamic", "seccomp-filter", "store-corrupt", "store-broken",
                  "store-untrusted"}


def magic():
    """aarch64's, as it is registered."""
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xb7\x00"
    return "".join(f"\\x{byte:02x}" for byte in header)


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
        return {name: one for name, one in found.items() if name not in OF_THE_MACHINE}

    def assert_found(self, status, wanted, *words, **options):
        """Exactly these findings: id -> level. Returns them."""
        found = self.doctor(status, *words, **options)
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
        self.start_emud()
        late = User("carol", CAROL.uid)
        found = self.assert_found(0, {"group-stale": "warning"}, user=late)
        self.assertIn("newgrp emud", found["group-stale"]["mend"])

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
                self.assert_found(0, {"handler-foreign": "note"} | wanted)
                if "C" in flags:
                    NIX_CONF.write_text("filter-syscalls = false\n")
                    self.assert_found(3, {"handler-foreign": "note", "nix-root-hole": "error"} | wanted)
                    NIX_CONF.write_text("")
                unregister_by_hand("others")

    def test_nix_conf(self):
        self.start_emud()
        NIX_CONF.write_text("sandbox = false\ntrusted-users = root *\nfilter-syscalls = false\n")
        self.assert_found(0, {"nix-sandbox-off": "warning", "nix-trusts-everyone": "warning",
                              "nix-syscalls-unfiltered": "warning"})

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

    def test_the_list_of_findings(self):
        listed = json.loads(self.emuctl("doctor", "--list", "--json").stdout)["findings"]
        self.assertGreater(len(listed), 30)
        text = self.emuctl("doctor", "--list").stdout
        for one in listed:
            self.assertIn(f"{one['id']} ({one['levels']})\n  {one['meaning']}.\n", text)


if __name__ == "__main__":
    main()
