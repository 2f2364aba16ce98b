"""Real builds by Nix under a lease: through emud, single-user, rootless, with the machine's own nix-daemon."""

import os
import pathlib
import signal
import socket
import subprocess

from nix_support import *

HOST_BUILD = derivation("host", system=HOST_SYSTEM, native=True,
                        arguments=["sh", "-c", "${bin}/busybox uname -m > $out"])


class MultiUser(NixTestCase):
    """/nix is root's: emud gives the lease a nix-daemon of its own."""

    def setUp(self):
        super().setUp()
        self.emud = self.start_emud()

    def test_untrusted_user(self):
        configuration = NIX_CONF.read_bytes()
        built = self.build(self.project(derivation("facts")))
        facts = self.facts(built)
        self.assert_sandboxed(facts)
        self.assertNotIn(int(facts["uid"][0]), (0, ALICE.uid))
        path = built.stdout.strip()
        self.assertRegex(self.nix_store("-q", "--deriver", path).stdout, r"-facts\.drv\n$")
        self.assertEqual(self.nix_store("--check-validity", path).returncode, 0)
        self.assertEqual(os.stat(path).st_uid, 0)
        self.assertEqual(NIX_CONF.read_bytes(), configuration)

    def test_build_users(self):
        gate = Gate("gate")
        build = self.start_build(self.project(derivation("gated", "gate", arguments=[gate.path])))
        self.wait_for_line(build, "building")
        builders = [pid for pid, line in processes().items() if "nix-builder gate" in line]
        self.assertEqual(len(builders), 1)
        self.assertIn(uid_of(builders[0]), build_users())
        gate.open()
        self.assertEqual(build.wait(SECONDS_TO_RUN), 0)

    def test_machine_settings_are_kept(self):
        (NIX_CONF.parent / "conf.d").mkdir()
        (NIX_CONF.parent / "conf.d/paths.conf").write_text(f"extra-sandbox-paths = /relative={GATE}\n")
        NIX_CONF.write_text(self.nix_conf + "include conf.d/paths.conf\n!include not-there.conf\n")
        (GATE / "file").write_text("seen\n")
        built = self.build(self.project(derivation("copy", "copy", arguments=["/relative/file"])))
        self.assert_status(built, 0)
        self.assertEqual(pathlib.Path(built.stdout.strip()).read_text(), "/relative/file\nseen\n")

    def test_other_users_are_not_served(self):
        gate = Gate("gate")
        build = self.start_build(self.project(derivation("gated", "gate", arguments=[gate.path])))
        self.wait_for_line(build, "building")
        remote = f"unix://{self.emud.runtime}/leases/{self.emud.leases()[0]}/nix.socket"
        query = ["nix-store", "--query", "--roots", "/nix/store/" + os.listdir("/nix/store")[0]]
        allowed = run(query, ALICE, {"NIX_REMOTE": remote})
        refused = run(query, BOB, {"NIX_REMOTE": remote})
        gate.open()
        self.assertEqual(build.wait(SECONDS_TO_RUN), 0)
        self.assert_status(allowed, 0)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("user 'bob' is not allowed to connect to the Nix daemon", self.emud.text())

    def test_root(self):
        """He builds himself, though his environment points to a daemon: that is outside of the lease."""
        for remote in ("", "daemon", "unix:///run/no-such-socket"):
            with self.subTest(remote):
                folder = self.project(derivation(f"root-{len(remote)}"), ROOT)
                self.assert_sandboxed(self.facts(self.build(folder, user=ROOT, env={"NIX_REMOTE": remote} if remote else {})))

    def test_store_of_another_machine(self):
        """Nobody's NIX_REMOTE is replaced then."""
        remote = "ssh-ng://builder.invalid"
        for user in (ALICE, ROOT):
            seen = self.emuctl("run", "-a", "aarch64", "--nix", "--", "printenv", "NIX_REMOTE", user=user, env={"NIX_REMOTE": remote})
            self.assertEqual(seen.stdout, f"{remote}\n")

    def test_ways_to_call_nix(self):
        folder = self.project(derivation("facts"))
        nix = ["nix", "--extra-experimental-features", "nix-command", "build", "-f", ".", "--no-link"]
        refused = self.emuctl("run", "-a", "aarch64", "--no-nix", "--", "nix-build", "--no-out-link", cwd=folder)
        self.assertNotEqual(refused.returncode, 0)
        with self.subTest("nix build"):
            self.assert_status(self.emuctl("run", "-a", "aarch64", "--", *nix, cwd=folder), 0)
        with self.subTest("a script"):
            (folder / "default.nix").write_text(expression(derivation("script")))
            script = ["sh", "-c", "nix-build --no-out-link"]
            self.assert_status(self.emuctl("run", "-a", "aarch64", "--nix", "--", *script, cwd=folder), 0)
        with self.subTest("nix-build"):
            (folder / "default.nix").write_text(expression(derivation("by-name")))
            built = self.emuctl("run", "-a", "aarch64", "--", "nix-build", "--no-out-link", cwd=folder)
            self.assert_sandboxed(self.facts(built))

    def test_nested_user_namespace(self):
        arguments = ["unshare", "-U", "-r", "${bin}/nix-builder", "facts"]
        facts = self.facts(self.build(self.project(derivation("nested", native=True, arguments=arguments))))
        self.assertEqual(facts["machine"], ["aarch64"])
        self.assertEqual(facts["uid"], ["0"])
        self.assertEqual(facts["directory"], ["/build"])

    def test_derivations_of_two_systems(self):
        first = derivation("first", "copy", arguments=[f"${{{HOST_BUILD}}}"])
        second = derivation("second", system=HOST_SYSTEM, native=True, first=first,
                            arguments=["sh", "-c", "${bin}/busybox cat $first > $out"])
        built = self.build(self.project(second))
        self.assert_status(built, 0)
        path = built.stdout.strip()
        self.assertEqual(pathlib.Path(path).read_text().splitlines()[-1], os.uname().machine)
        self.assertRegex(self.nix_store("-q", "--references", path).stdout, r"^/nix/store/\S+-host\n$")

    def test_failing_build(self):
        failed = self.build(self.project(derivation("failing", "fail")))
        self.assertIn(failed.returncode, (1, 100))  # Nix before 2.9 gives 1 where a daemon builds, 100 otherwise
        self.assertIn("failed with exit code 3", failed.stderr)
        self.assert_status(self.build(self.project("syntax error")), 1)

    def test_two_leases(self):
        builds, gates = [], []
        for name in ("one", "two"):
            gates.append(Gate(name))
            builds.append(self.start_build(self.project(derivation(name, "gate", arguments=[gates[-1].path]))))
        for build in builds:
            self.wait_for_line(build, "building")
        self.assertEqual(len(self.emud.leases()), 2)
        for gate, build in zip(gates, builds):
            gate.open()
            self.assertEqual(build.wait(SECONDS_TO_RUN), 0)

    def test_garbage_collection(self):
        gate = Gate("gate")
        gated = derivation("gated", "gate", arguments=[gate.path], input=HOST_BUILD)
        build = self.start_build(self.project(gated))
        self.wait_for_line(build, "building")
        garbage = self.nix_store("--add", "/etc/hostname").stdout.strip()
        self.assert_status(self.nix_store("--gc"), 0)
        self.assertFalse(os.path.exists(garbage))
        gate.open()
        self.assertEqual(build.wait(SECONDS_TO_RUN), 0)
        self.assertTrue(os.path.exists(build.stdout.read().strip()))

    def test_read_only_store(self):
        """The lease gets a writable one: for its nix-daemon, and for root, who builds himself."""
        self.make_store_read_only()
        for user in (ALICE, ROOT):
            with self.subTest(user.name):
                self.assert_sandboxed(self.facts(self.build(self.project(derivation(user.name), user), user=user)))
        self.assertTrue(os.statvfs("/nix/store").f_flag & os.ST_RDONLY)

    def test_read_only_store_keeps_its_other_flags(self):
        self.make_store_read_only()
        seen = self.emuctl("run", "-a", "aarch64", "--nix", "--", "findmnt", "-no", "OPTIONS", "/nix/store")
        self.assert_status(seen, 0)
        options = seen.stdout.strip().split(",")
        self.assertIn("rw", options)
        self.assertIn("nodev", options)


class Cancelled(NixTestCase):
    """However emuctl ends during a build: a second later nothing of the lease is left, and the store is as good as before."""

    def cancel(self, number, options=("-a", "aarch64")):
        folder = self.project(derivation("long", "tree"))
        before = processes()
        build = self.start_build(folder, options=options)
        self.wait_for_line(build, "building")
        build.send_signal(number)
        self.assertEqual(processes_left(before, a_second()), {}, "processes are left")
        self.assertNotEqual(build.wait(), 0)
        again = self.start_build(folder, options=options)
        self.wait_for_line(again, "building")
        again.kill()
        again.wait()

    def test_through_emud(self):
        self.start_emud()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
            with self.subTest(number.name):
                self.cancel(number)
        self.assertEqual(processes_left(self.processes_before | {self.emuds[0].pid: ""}), {})
        self.assert_status(self.nix_store("--verify", "--check-contents"), 0)

    def test_rootless(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number.name):
                self.cancel(number, ("--rootless", "-a", "aarch64"))


class SingleUser(NixTestCase):
    """/nix is the caller's own."""

    owner = ALICE

    def test_through_emud(self):
        self.start_emud()
        for remote in ("", "daemon", "auto"):
            with self.subTest(remote):
                folder = self.project(derivation(f"facts-{remote}"))
                facts = self.facts(self.build(folder, env={"NIX_REMOTE": remote} if remote else {}))
                self.assertEqual(facts["machine"], ["aarch64"])

    def test_read_only_store(self):
        self.make_store_read_only()
        self.start_emud()
        facts = self.facts(self.build(self.project(derivation("facts"))))
        self.assertEqual(facts["machine"], ["aarch64"])
        refused = self.build(self.project(derivation("other")), options=("--rootless", "-a", "aarch64"))
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("note: /nix/store is mounted read-only, which only root can change", refused.stderr)

    def test_failing_build(self):
        self.start_emud()
        self.assert_status(self.build(self.project(derivation("failing", "fail"))), 100)  # nix-build(1)

    def test_rootless(self):
        facts = self.facts(self.build(self.project(derivation("facts")), options=("--rootless", "-a", "aarch64")))
        self.assertEqual(facts["machine"], ["aarch64"])

    def test_rootless_cancelled(self):
        for number in (signal.SIGINT, signal.SIGKILL):
            with self.subTest(number.name):
                Cancelled.cancel(self, number, ("--rootless", "-a", "aarch64"))


class OwnStore(NixTestCase):
    """Rootless while /nix is root's: the build goes to a store of the caller's."""

    def test_build(self):
        built = self.build(self.project(derivation("facts")), options=("--rootless", "-a", "aarch64"))
        self.assert_status(built, 0)
        store = pathlib.Path(ALICE.home) / ".local/share/emud/nix"
        text = pathlib.Path(f"{store}{built.stdout.strip()}").read_text()
        self.assertIn("machine aarch64\n", text)
        self.assertIn("directory /build\n", text)
        self.assertFalse(os.path.exists(built.stdout.strip()))

    def test_root(self):
        for name in ("writable", "read-only"):
            with self.subTest(name):
                if name == "read-only":
                    self.make_store_read_only()
                folder = self.project(derivation(name), ROOT)
                built = self.build(folder, options=("--rootless", "-a", "aarch64"), user=ROOT)
                self.assert_sandboxed(self.facts(built))


class HostScope(NixTestCase):
    """The machine's own nix-daemon builds."""

    def start_nix_daemon(self):
        """Listens before it starts (sd_listen_fds(3)), so nobody has to wait for it."""
        path = "/nix/var/nix/daemon-socket/socket"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            os.chmod(path, 0o666)
            listener.listen()
            listener.set_inheritable(True)
            daemon = start(["sh", "-c", "LISTEN_PID=$$ exec nix-daemon"], env={"NIX_REMOTE": "local", "LISTEN_FDS": "1"},
                           close_fds=False, preexec_fn=lambda: os.dup2(listener.fileno(), 3),
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(daemon.wait)
        self.addCleanup(daemon.kill)

    def test_missing_setting_is_named(self):
        self.start_emud()
        self.start_nix_daemon()
        built = self.build(self.project(derivation("facts"), CAROL), options=("--scope", "host", "-a", "aarch64"), user=CAROL)
        self.assertNotEqual(built.returncode, 0)
        self.assertIn("extra-platforms = aarch64-linux", built.stderr)
        self.assertIn(str(NIX_CONF), built.stderr)

    def test_configured_daemon(self):
        NIX_CONF.write_text(self.nix_conf + "extra-platforms = aarch64-linux\n")
        self.start_emud()
        self.start_nix_daemon()
        built = self.build(self.project(derivation("facts"), CAROL), options=("--scope", "host", "-a", "aarch64"), user=CAROL)
        self.assert_sandboxed(self.facts(built))
        self.assertNotIn("note:", built.stderr)


if __name__ == "__main__":
    main()
