"""Handlers in the host scope: counted leases, pins, and entries that are not emud's."""

import select

from essentials import *
from wire_client import status

WSL_MAGIC = "MZ"
ENTRY = "emud-aarch64"


class HostScope(HolderCase):
    def setUp(self):
        super().setUp()
        self.emud = self.start_emud()

    def leases_on(self, architecture):
        return {one["architecture"]: one["leases"] for one in status(self.emud)["handlers"]}.get(architecture)

    def assert_outside(self, works):
        if works:
            self.assertEqual(run([guest("hello-arm64")], ALICE).stdout, "hello from aarch64\n")
        else:
            with self.assertRaisesRegex(OSError, ENOEXEC_TEXT):
                run([guest("hello-arm64")], ALICE)

    def wait_until_gone(self, name):
        """Without a release nobody is told: inotify says when the host's entries change."""
        watch = libc.inotify_init1(os.O_CLOEXEC)
        libc.inotify_add_watch(watch, BINFMT_MISC.encode(), IN_MODIFY | IN_CREATE | IN_DELETE)
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        try:
            while name in handlers():
                self.assertTrue(poll.poll(SECONDS_TO_END * 1000), f"{name} is still there")
                os.read(watch, 65536)
        finally:
            os.close(watch)

    def test_lease(self):
        process = self.hold("arm64")
        self.assertEqual(handlers(), [ENTRY])
        self.assertRegex(entry(ENTRY), r"(?m)^flags: (PF|FP)$")
        self.assert_outside(True)
        self.release(process)
        self.assertEqual(handlers(), [])
        self.assert_outside(False)

    def test_leases_of_one_architecture_are_counted(self):
        processes = [self.hold("arm64"), self.hold("aarch64", user=ROOT), self.hold("arm64", "riscv64")]
        self.assertEqual(handlers(), [ENTRY, "emud-riscv64"])
        self.assertEqual(self.leases_on("aarch64"), 3)
        text = entry(ENTRY)
        for left, process in ((2, processes[2]), (1, processes[0])):
            self.release(process)
            self.assertEqual(handlers(), [ENTRY])
            self.assertEqual(entry(ENTRY), text)
            self.assertEqual(self.leases_on("aarch64"), left)
            self.assert_outside(True)
        self.release(processes[1])
        self.assertEqual(handlers(), [])

    def test_simultaneous_first_leases_share_one_handler(self):
        started = [self.start_emuctl("lease", "arm64", "arm", user=CAROL, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                   for _ in range(6)]
        for process in started:
            self.assertEqual(process.stdout.readline(), "ready\n")
        self.assertEqual(handlers(), sorted([ENTRY, "emud-arm"]))
        self.assertEqual(self.leases_on("arm"), 6)
        for process in started:
            process.stdin.close()
        for process in started:
            self.assertEqual(process.wait(SECONDS_TO_RUN), 0)
            process.stdout.close()
        self.assertEqual(handlers(), [])

    def test_signal_ends_a_lease_in_good_order(self):
        for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
            process = self.hold("arm64")
            process.send_signal(number)
            process.communicate(timeout=SECONDS_TO_END)
            self.assertEqual(process.returncode, 0)
            self.assertEqual(handlers(), [])

    def test_killed_holder(self):
        process = self.hold("arm64")
        process.kill()
        process.communicate()
        self.wait_until_gone(ENTRY)
        self.assert_outside(False)

    def test_run_in_the_host_scope(self):
        done = self.emuctl("run", "--scope", "host", "-a", "arm64", "--", "sh", "-c", f"ls {BINFMT_MISC}; {guest('hello-arm64')}",
                           user=CAROL)
        self.assertEqual(handlers(), [], "it must be gone when emuctl has ended")
        self.assertEqual(sorted(done.stdout.splitlines()), [ENTRY, "hello from aarch64", "register", "status"])
        failed = self.emuctl("run", "--scope", "host", "-a", "arm64", "--", "sh", "-c", "exit 9", user=CAROL)
        self.assertEqual(handlers(), [])
        self.assert_status(failed, 9)

    def test_killed_run_in_the_host_scope(self):
        process = self.start_emuctl("run", "--scope", "host", "-a", "arm64", "--", guest("tree"), 3, user=CAROL,
                                    stdout=subprocess.PIPE, text=True)
        expect_line(process.stdout, "ready")
        process.kill()
        process.wait()
        process.stdout.close()
        self.wait_until_gone(ENTRY)

    def test_register_and_unregister(self):
        done = self.emuctl("register", "arm64", "riscv64", user=CAROL)
        self.assert_status(done, 0)
        self.assertIn(f"aarch64: registered as {ENTRY}", done.stdout)
        self.assertEqual(handlers(), [ENTRY, "emud-riscv64"])
        self.assert_outside(True)
        again = self.emuctl("register", "arm64", user=CAROL)
        self.assert_status(again, 0)
        self.assertEqual(handlers(), [ENTRY, "emud-riscv64"])
        self.assert_status(self.emuctl("unregister", "arm64", user=CAROL), 0)
        self.assertEqual(handlers(), ["emud-riscv64"])
        missing = self.emuctl("unregister", "arm64", user=CAROL)
        self.assert_status(missing, 1)
        self.assertIn("aarch64", missing.stderr)
        self.assert_status(self.emuctl("unregister", "--all", user=CAROL), 0)
        self.assertEqual(handlers(), [])
        self.assert_status(self.emuctl("unregister", "--all", user=CAROL), 0)

    def test_pin_and_lease_need_each_other_not(self):
        self.assert_status(self.emuctl("register", "arm64", user=CAROL), 0)
        process = self.hold("arm64")
        done = self.emuctl("unregister", "arm64", user=CAROL)
        self.assert_status(done, 0)
        self.assertIn("last lease", done.stdout)
        self.assertEqual(handlers(), [ENTRY])
        self.assert_status(self.emuctl("register", "arm64", user=CAROL), 0)
        self.release(process)
        self.assertEqual(handlers(), [ENTRY])
        self.assert_status(self.emuctl("unregister", "--all", user=CAROL), 0)
        self.assertEqual(handlers(), [])

    def test_persistent_pin(self):
        self.assert_status(self.emuctl("register", "--persist", "arm64", user=CAROL), 0)
        files = [path for path in self.emud.state.rglob("*.json") if path.name == "aarch64.json"]
        self.assertEqual(len(files), 1)
        json.loads(files[0].read_text())
        # After a reboot the kernel has forgotten it, and the runtime directory is empty.
        self.emud.stop()
        unregister_by_hand(ENTRY)
        shutil.rmtree(self.emud.runtime)
        self.emud.start()
        self.assertEqual(handlers(), [ENTRY])
        self.assert_outside(True)
        self.assert_status(self.emuctl("unregister", "arm64", user=CAROL), 0)
        self.assertEqual(handlers(), [])
        self.assertFalse(files[0].exists())

    def test_pin_outlives_emud(self):
        self.assert_status(self.emuctl("register", "arm64", user=CAROL), 0)
        for end in self.emud.stop, self.emud.kill:
            end()
            self.assertEqual(handlers(), [ENTRY])
            self.emud.start()
            self.assertEqual(handlers(), [ENTRY])
        self.assert_status(self.emuctl("unregister", "--all", user=CAROL), 0)
        self.assertEqual(handlers(), [])

    def test_entries_of_others_are_left_alone(self):
        emulator = machine_emulator("aarch64")
        self.require(emulator, "this machine has no emulator for aarch64")
        before = {"WSLInterop": register_by_hand("WSLInterop", WSL_MAGIC, "/bin/false", "P"),
                  "qemu-aarch64": register_by_hand("qemu-aarch64", AARCH64_MAGIC, emulator, "F")}
        self.addCleanup(lambda: [unregister_by_hand(name) for name in before])
        switch = pathlib.Path(f"{BINFMT_MISC}/WSLInterop")
        switch.write_text("0")  # a disabled one stays disabled
        before["WSLInterop"] = entry("WSLInterop")
        process = self.hold("arm64")
        self.assert_status(self.emuctl("register", "arm64", user=CAROL), 0)
        self.assertEqual(handlers(), sorted([*before, ENTRY]))
        shown = {one["name"]: one for one in status(self.emud)["foreign"]}
        self.assertEqual(sorted(shown), sorted(before))
        self.assertFalse(shown["WSLInterop"]["enabled"])
        self.assertEqual(shown["qemu-aarch64"].get("architecture"), "aarch64")
        self.release(process)
        self.assert_status(self.emuctl("unregister", "--all", user=CAROL), 0)
        refused = self.emuctl("unregister", "qemu-aarch64", user=CAROL)
        self.assertNotEqual(refused.returncode, 0)
        self.emud.kill()
        self.emud.start()
        self.emud.stop()
        self.assertEqual({name: entry(name) for name in handlers()}, before)
        self.emud.start()

    def test_another_version_in_the_host_scope_is_refused(self):
        process = self.hold("arm64")
        done = self.emuctl("run", "--scope", "host", "--emulator", "1.2", "-a", "arm64", "--", "true", user=CAROL)
        self.assert_status(done, 125)
        self.assertIn("1.2", done.stderr)
        self.release(process)

    def test_machines_nix_that_will_refuse_is_told(self):
        self.require(os.path.isdir("/nix"), "this machine has no /nix")
        os.makedirs("/nix/store", exist_ok=True)
        self.addCleanup(os.rmdir, "/nix/store")
        done = self.emuctl("run", "--scope", "host", "--nix", "-a", "arm64", "--", "true", user=CAROL)
        self.assert_status(done, 0)
        self.assertIn("extra-platforms", done.stderr)
        self.assertIn("aarch64-linux", done.stderr)
        self.assertEqual(handlers(), [])

    def test_status_shows_handlers_and_leases(self):
        process = self.hold("arm64")
        done = self.emuctl("status", user=BOB)
        self.assert_status(done, 0)
        self.assertIn(ENTRY, done.stdout)
        shown = status(self.emud)
        self.assertEqual([(one["scope"], one["architectures"], one["uid"]) for one in shown["leases"]],
                         [("host", ["aarch64"], CAROL.uid)])
        self.release(process)
        self.assertEqual(status(self.emud)["leases"], [])


class NotMounted(HolderCase):
    """binfmt_misc is mounted nowhere when emud starts, as in a container or before systemd has it."""

    def setUp(self):
        super().setUp()
        subprocess.run(["umount", BINFMT_MISC], check=True)
        self.addCleanup(self.mount_again)

    def mount_again(self):
        if BINFMT_MISC not in mounts():
            subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT_MISC], check=True)

    def test_private_lease(self):
        self.start_emud()
        for options in ((), ("--rootless",)):
            done = self.emuctl("run", *options, "-a", "aarch64", "--scope", "private", "--", guest("hello-arm64"))
            self.assertEqual((done.returncode, done.stdout), (0, "hello from aarch64\n"), done.stderr)

    def test_host_lease(self):
        """emud mounts it for the whole machine."""
        self.start_emud()
        process = self.hold("arm64")
        self.assertIn(BINFMT_MISC, mounts())
        self.assertEqual(handlers(), [ENTRY])
        self.assertEqual(run([guest("hello-arm64")], ALICE).stdout, "hello from aarch64\n")
        self.release(process)
        self.assertEqual(handlers(), [])


if __name__ == "__main__":
    main()
