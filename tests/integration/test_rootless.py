"""`emuctl run` without emud: what only that way has, and all of essentials.py."""

import other_emulator
from essentials import *
from two_versions import TwoVersions


class Rootless(Essentials, TwoVersions, TestCase):
    options = ("--rootless",)
    installer = ALICE

    def setUp(self):
        super().setUp()
        for name in ".local", ".cache":
            shutil.rmtree(f"{ALICE.home}/{name}", ignore_errors=True)
        shutil.rmtree(f"/run/user/{ALICE.uid}/emud", ignore_errors=True)

    def expected(self, direct):
        overflow = int(pathlib.Path("/proc/sys/kernel/overflowgid").read_text(encoding="utf-8"))
        direct["groups"] = [group if group == direct["group"][0] else overflow for group in direct["groups"]]
        return direct

    def test_hidden_proc(self):
        """Where parts of /proc are hidden, as in a container, the kernel allows no /proc of a PID namespace: then there is none."""
        own = os.readlink("/proc/self/ns/pid")
        for hidden in (False, True):
            if hidden:
                subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/proc/irq"], check=True)
                self.addCleanup(subprocess.run, ["umount", "/proc/irq"], check=True)
            for user in (ALICE, ROOT):
                with self.subTest(user.name, hidden=hidden):
                    seen = self.emuctl("run", "--rootless", "-a", "aarch64", "--", "readlink", "/proc/self/ns/pid", user=user)
                    self.assert_status(seen, 0)
                    self.assertEqual(seen.stdout.strip() == own, hidden)

    def test_goes_rootless_by_itself_without_a_socket(self):
        done = self.emuctl("run", "-v", guest("hello-arm64"))
        self.assert_status(done, 0)
        self.assertEqual(done.stdout, "hello from aarch64\n")
        self.assertIn("going rootless", done.stderr)
        quiet = self.emuctl("run", guest("hello-arm64"))
        self.assertEqual((quiet.stdout, quiet.stderr), ("hello from aarch64\n", ""))

    def test_named_socket_that_is_missing_is_an_error(self):
        done = self.emuctl("run", guest("hello-arm64"), env={"EMUD_SOCKET": "/run/no-such-socket"})
        self.assert_status(done, 125)
        self.assertIn("emud is not running", done.stderr)
        self.assertIn("--rootless", done.stderr)

    def test_host_scope_needs_emud(self):
        for words in (("--rootless", "--scope", "host"), ("--scope", "host")):
            done = self.emuctl("run", *words, guest("hello-arm64"))
            self.assert_status(done, 125)
            self.assertIn("emud", done.stderr)

    def test_user_is_not_made_root(self):
        done = self.emuctl_run("sh", "-c", "id -u; id -g; cat /proc/self/uid_map")
        self.assertEqual(done.stdout.split(), [str(ALICE.uid), str(ALICE.uid), str(ALICE.uid), "0", "1"])

    def test_store_is_in_the_data_directory(self):
        data = self.temporary_directory(ALICE)
        done = self.emuctl_run(guest("hello-arm64"), env={"XDG_DATA_HOME": str(data)})
        self.assert_status(done, 0)
        files = [path for path in (data / "emud").rglob("*") if path.is_file() and path.stat().st_size > 1 << 20]
        self.assertEqual(sorted(file.parts[-2:-1] == ("run",) for file in files), [False, True], "one emulator is in the store")
        for file in files:
            self.assertEqual(file.stat().st_mode & 0o222, 0, "it is read-only")
            self.assertEqual(file.stat().st_uid, ALICE.uid)
        self.assertFalse(os.path.exists(f"{ALICE.home}/.local/share/emud"))

    def test_proof_is_remembered(self):
        first = self.emuctl("run", "--rootless", "-v", guest("hello-arm64"))
        self.assertRegex(first.stderr, "prob")
        second = self.emuctl("run", "--rootless", "-v", guest("hello-arm64"))
        self.assertNotRegex(second.stderr, "prob")
        again = self.emuctl("probe", "--rootless", "-v", "aarch64")  # this verb proves anew
        self.assertRegex(again.stderr, "prob")

    def test_everything_ends_with_the_command(self):
        script = "(setsid sh -c 'trap \"\" TERM HUP; echo $$; exec sleep 1000' &) | head -n 1; exit 3"
        done = self.emuctl_run("sh", "-c", script)
        self.assert_status(done, 3)
        self.assertRegex(done.stdout, r"^\d+\n$")
        self.assertEqual(processes_left(self.processes_before, 0), {})

    def test_everything_ends_with_emuctl(self):
        process = self.start_run(guest("tree"), 4, stdout=subprocess.PIPE, text=True)
        expect_line(process.stdout, "ready")
        process.kill()
        process.wait()
        self.assertEqual(processes_left(self.processes_before), {})
        process.stdout.close()

    def test_two_at_once_do_not_meet(self):
        script = f"{guest('hello-arm64')}; echo ready; read line; {guest('hello-arm64')}"
        running = [self.start_run("sh", "-c", script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        for process in running:
            expect_line(process.stdout, "ready")
        for process in running:
            out, _ = process.communicate("\n", SECONDS_TO_RUN)
            self.assertEqual((out, process.returncode), ("hello from aarch64\n", 0))

    def test_root_without_emud(self):
        done = self.emuctl_run("sh", "-c", f"id -u; {guest('hello-arm64')}", user=ROOT,
                               env={"HOME": str(self.temporary_directory())})
        self.assert_status(done, 0)
        self.assertEqual(done.stdout, "0\nhello from aarch64\n")

    def test_root_of_a_user_namespace(self):
        """As in a rootless container: root is the caller, and no or some other ids are there."""
        home = {"HOME": str(self.temporary_directory(ALICE))}
        for others in "", "\n1 200000 65535":
            with self.subTest(others=others):
                command = f"echo there; read line; exec {BIN_DIR}/emuctl run --rootless -a aarch64 -- sh -c 'id -u; {guest('hello-arm64')}'"
                container = start(["unshare", "-U", "sh", "-c", command], ALICE, home, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                self.assertEqual(container.stdout.readline(), "there\n")
                for name in "uid_map", "gid_map":
                    pathlib.Path(f"/proc/{container.pid}/{name}").write_text(f"0 {ALICE.uid} 1{others}", encoding="utf-8")
                out, err = container.communicate("\n", SECONDS_TO_RUN)
                self.assertEqual((out, container.returncode), ("0\nhello from aarch64\n", 0), err)

    def test_without_user_namespaces_the_reason_is_told(self):
        limit = pathlib.Path("/proc/sys/user/max_user_namespaces")
        before = limit.read_text(encoding="utf-8")
        limit.write_text("0", encoding="utf-8")
        try:
            done = self.emuctl_run(guest("hello-arm64"))
        finally:
            limit.write_text(before, encoding="utf-8")
        self.assert_status(done, 125)
        self.assertRegex(done.stderr, "user.max_user_namespaces")


if __name__ == "__main__":
    if "EMUD_HERMETIC" not in os.environ:
        other_emulator.fetch()
    main()
