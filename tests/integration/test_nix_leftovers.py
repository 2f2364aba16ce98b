"""Nix that is killed leaves its temporary directories. Those of a lease go with it: TMPDIR is the caller's own here, and he looks into
it afterwards."""

import json
import signal

from nix_support import *
from test_kill import children


BUILDS = pathlib.Path("/nix/var/nix/builds")  # Nix since 2.30 has its builders' directories there


def builds_left():
    return [path for root in ("/", f"{ALICE.home}/.local/share/emud/nix/") for path in pathlib.Path(root + str(BUILDS)).glob("*")]


class Leftovers(NixTestCase):
    """Ways to build, each with a kill of emuctl, of the keeper and of the command at the moment when Nix has directories there."""

    def setUp(self):
        super().setUp()
        self.expressions = iter(range(100))

    def folder(self, user):
        path = pathlib.Path(user.home) / "tmp"
        path.mkdir()
        os.chown(path, user.uid, user.uid)
        self.addCleanup(shutil.rmtree, path)
        return path

    def begin(self, temporary, user, options):
        """A build that never ends by itself, once its builder runs."""
        build = self.start_build(self.project(derivation(f"long-{next(self.expressions)}", "tree"), user), user=user,
                                 options=(*options, "-a", "aarch64"), env={"TMPDIR": str(temporary)})
        self.wait_for_line(build, "building")
        self.assertEqual([path.parent.parent for path in temporary.glob("*/nix-build*")][:1], [temporary],
                         f"Nix has nothing below a directory of the lease: {os.listdir(temporary)}")
        return build

    def keeper_of(self, build):
        if not self.emuds:
            return children(build.pid)[0]
        record, = (self.emuds[0].runtime / "leases").glob("*/lease.json")
        return json.loads(record.read_text())["keeper"]

    def kill_both(self, build):
        """emuctl and the keeper: neither sees the other's end."""
        keeper = self.keeper_of(build)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in (build.pid, keeper):
                os.kill(pid, number)
        self.assertEqual(build.wait(SECONDS_TO_END), -9)

    def check_both(self, user):
        """Without a PID namespace the build lives on, and ends when the next lease begins."""
        temporary = self.folder(user)
        self.kill_both(self.begin(temporary, user, ("--rootless",)))
        left = " ".join(processes_left(self.processes_before, 0).values())
        self.assertIn("nix-build", left)
        self.assertIn("nix-builder tree", left)
        self.begin_another(temporary, user)
        self.assertEqual(processes_left(self.processes_before, 0), {})
        self.assertEqual(os.listdir(temporary), [])

    def begin_another(self, temporary, user):
        """A rootless lease for Nix, from its beginning to its end."""
        other = self.emuctl("run", "--rootless", "-a", "aarch64", "--nix", "--", "true", user=user, env={"TMPDIR": str(temporary)})
        self.assert_status(other, 0)

    def check(self, user, options=()):
        temporary = self.folder(user)
        for victim in ("emuctl", "keeper", "command"):
            with self.subTest(victim):
                before = processes()
                build = self.begin(temporary, user, options)
                keeper = self.keeper_of(build)
                command = next(pid for pid in children(keeper) if "nix-build" in processes().get(pid, ""))
                os.kill({"emuctl": build.pid, "keeper": keeper, "command": command}[victim], signal.SIGKILL)
                self.assertEqual(build.wait(SECONDS_TO_END), {"emuctl": -9, "keeper": 125, "command": 137}[victim])
                self.assertEqual(processes_left(before), {})
                self.wait_for_leases()
                self.assertEqual(os.listdir(temporary), [])
                self.assertEqual(builds_left(), [])
        return temporary

    def wait_for_leases(self):
        """Until emud has no lease any more."""
        for emud in self.emuds:
            deadline = time.monotonic() + SECONDS_TO_END
            while leases := emud.leases():
                self.assertLess(time.monotonic(), deadline, f"leases {leases}")


class MultiUser(Leftovers):
    def test_client_of_the_lease_s_daemon(self):
        self.start_emud()
        self.check(ALICE)

    def test_root(self):
        self.start_emud()
        self.check(ROOT)

    def test_rootless(self):
        """In a store of the caller's own."""
        self.check(ALICE, ("--rootless",))

    def test_rootless_root(self):
        self.check(ROOT, ("--rootless",))

    def test_emud_and_keeper(self):
        """The next emud removes what a keeper left that died while there was none."""
        emud = self.start_emud()
        temporary = self.folder(ALICE)
        build = self.begin(temporary, ALICE, ())
        keeper = self.keeper_of(build)
        emud.kill()
        os.kill(keeper, signal.SIGKILL)
        self.assertEqual(build.wait(SECONDS_TO_END), 125)
        self.assertNotEqual(os.listdir(temporary), [])
        emud.start()
        self.wait_for_leases()
        self.assertEqual(os.listdir(temporary), [])

    def test_emuctl_and_keeper(self):
        """Nobody is left to remove what such a lease had: the next one does."""
        temporary = self.folder(ALICE)
        build = self.begin(temporary, ALICE, ("--rootless",))
        self.kill_both(build)
        self.assertEqual(processes_left(self.processes_before), {})
        self.assertEqual(len(os.listdir(temporary)), 1)
        self.begin_another(temporary, ALICE)
        self.assertEqual(os.listdir(temporary), [])

    def test_emuctl_and_keeper_of_root(self):
        self.check_both(ROOT)

    def test_what_is_not_swept(self):
        """A running lease's, other users', what only looks like a lease's; nothing where others could put something in its place."""
        temporary = self.folder(ALICE)
        running = self.begin(temporary, ALICE, ("--rootless",))
        kept = set(os.listdir(temporary))
        (temporary / "other").mkdir()
        for number, owner in enumerate((ALICE, BOB, ROOT)):
            path = temporary / f"emud-rootless-{number}"
            path.mkdir()
            os.chown(path, owner.uid, owner.uid)
        (temporary / "emud-rootless-link").symlink_to("other")
        (temporary / "other/file").touch()
        for mode in (0o777, 0o770):
            temporary.chmod(mode)
            before = sorted(os.listdir(temporary))
            self.begin_another(temporary, ALICE)
            self.assertEqual(sorted(os.listdir(temporary)), before)
        temporary.chmod(0o1777)
        os.chown(temporary, BOB.uid, BOB.uid)
        self.begin_another(temporary, ALICE)
        self.assertEqual(sorted(os.listdir(temporary)), before)
        os.chown(temporary, 0, 0)
        self.begin_another(temporary, ALICE)
        self.assertEqual(set(os.listdir(temporary)) - kept, {"other", "emud-rootless-1", "emud-rootless-2", "emud-rootless-link"})
        self.assertEqual(os.listdir(temporary / "other"), ["file"])
        self.assertLessEqual(kept, set(os.listdir(temporary)))
        running.kill()
        running.wait(SECONDS_TO_END)

    def test_directory_that_is_not_there(self):
        """TMPDIR stays what it was: whether that is an error is the command's to say."""
        self.start_emud()
        for options in ((), ("--rootless",)):
            seen = self.emuctl("run", *options, "-a", "aarch64", "--nix", "--", "printenv", "TMPDIR", env={"TMPDIR": "/run/not-there"})
            self.assertEqual(seen.stdout, "/run/not-there\n", seen.stderr)

    def test_only_nix_gets_one(self):
        self.start_emud()
        seen = self.emuctl("run", "-a", "aarch64", "--", "printenv", "TMPDIR")
        self.assertEqual(seen.stdout, f"{os.environ['TMPDIR']}\n")


class SingleUser(OfOneUser, Leftovers):
    def test_emuctl_and_keeper(self):
        self.check_both(ALICE)


if __name__ == "__main__":
    main()
