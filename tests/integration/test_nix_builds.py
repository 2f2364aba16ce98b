"""Nix since 2.30 has its builders' directories below the store's state and not in TMPDIR. Those of a lease are in a directory of its
own there. The machine's Nix may be older: what is seen here is what a newer one is told (build-dir), and that what it leaves goes."""

import os
import pathlib
import signal

from nix_support import *
from test_kill import KillTestCase

BUILDS = "/nix/var/nix/builds"
# What a killed Nix leaves, in the directory that it is told; waits for the end of its input then.
COMMAND = """
    folder=$(printenv NIX_CONFIG | sed -n "s/^build-dir = //p")
    echo "${folder:-none}"
    if [ -n "$folder" ]; then mkdir -p "$folder/nix-1/build/a"; chmod 0 "$folder/nix-1/build"; fi
    read line; true"""


class BuildsTestCase(KillTestCase, NixTestCase):
    def begin(self, user, options=(), env=None):
        """A command that a Nix stands for: the process and the build-dir that it is told, or None."""
        run = self.start_run("sh", "-c", COMMAND, verb=("run", *options, "-a", "aarch64", "--nix", "--"), user=user, env=env)
        said = run.stdout.readline().strip()
        self.assertNotEqual(said, "", run.poll())
        return run, None if said == "none" else pathlib.Path(said)

    def told(self, user, options=(), env=None):
        """The build-dir alone."""
        run, folder = self.begin(user, options, env)
        run.communicate("", SECONDS_TO_END)
        self.assertEqual(run.returncode, 0)
        self.wait_until_ended()
        return folder

    def wait_until_ended(self):
        for emud in self.emuds:
            self.wait_for_leases(emud, set())

    def check(self, user, options=(), folder=BUILDS):
        """The directory is in the folder while the lease lasts, whoever is killed."""
        pathlib.Path(folder).mkdir(parents=True)
        theirs = (f"{user.home}/", "/nix/") if user == self.owner else f"{user.home}/"
        for path in (pathlib.Path(folder), *pathlib.Path(folder).parents):
            if str(path).startswith(theirs):  # not /, which is the machine's
                os.chown(path, user.uid, user.uid)
        for victim in ("emuctl", "keeper", "command", None):
            with self.subTest(victim):
                run, told = self.begin(user, options)
                self.assertIsNotNone(told)
                self.assertEqual(str(told.parent), folder)
                self.assertTrue(told.name.startswith("emud-"))
                self.assertEqual(os.listdir(folder), [told.name])
                self.assertEqual((os.stat(told).st_uid, os.stat(told).st_mode & 0o777), (user.uid, 0o711))
                keeper = self.keeper_of(run, self.emuds[0] if self.emuds else None)
                if victim:
                    os.kill({"emuctl": run.pid, "keeper": keeper, "command": self.command_of(keeper)}[victim], signal.SIGKILL)
                else:
                    run.stdin.close()
                self.assertEqual(run.wait(SECONDS_TO_END), {"emuctl": -9, "keeper": 125, "command": 137, None: 0}[victim])
                self.assertEqual(processes_left(self.processes_before | {emud.pid: "" for emud in self.emuds}), {})
                self.wait_until_ended()
                self.assertEqual(os.listdir(folder), [])


class MultiUser(BuildsTestCase):
    def test_root(self):
        self.start_emud()
        self.check(ROOT)

    def test_rootless_root(self):
        self.check(ROOT, ("--rootless",))

    def test_store_of_the_caller_s_own(self):
        self.check(ALICE, ("--rootless",), f"{ALICE.home}/.local/share/emud/nix{BUILDS}")
        shutil.rmtree(f"{ALICE.home}/.local/share/emud/nix")

    def test_client_of_the_lease_s_daemon(self):
        """The daemon is told, and its client, who may not set it, is not."""
        pathlib.Path(BUILDS).mkdir(parents=True)
        emud = self.start_emud()
        run, told = self.begin(ALICE)
        self.assertIsNone(told)
        configuration, = (emud.runtime / "leases").glob("*/nix.conf")
        lease = configuration.parent.name
        self.assertIn(f"\nbuild-dir = {BUILDS}/emud-lease-{lease}\n", configuration.read_text())
        self.assertEqual(os.listdir(BUILDS), [f"emud-lease-{lease}"])
        os.kill(self.keeper_of(run, emud), signal.SIGKILL)
        run.wait(SECONDS_TO_END)
        self.wait_until_ended()
        self.assertEqual(os.listdir(BUILDS), [])

    def test_first_build(self):
        """Before there is such a folder only Nix's version tells; an older one would warn of the setting."""
        self.start_emud()
        programs = self.temporary_directory()
        (programs / "nix").write_text("#!/bin/sh\necho nix '(Nix)' $NIX_VERSION\n")
        for path in (programs, programs / "nix"):
            path.chmod(0o755)
        path = f"{programs}:{os.environ['PATH']}"
        for version, folder in (("2.29.1", None), ("2.30.0", BUILDS), ("3.0", BUILDS)):
            for options in ((), ("--rootless",)):
                with self.subTest(version, options=options):
                    told = self.told(ROOT, options, {"PATH": path, "NIX_VERSION": version})
                    self.assertEqual(told and str(told.parent), folder)
                    self.assertEqual(os.path.exists(BUILDS), folder is not None)
                    if folder:
                        os.rmdir(BUILDS)

    def test_what_is_configured(self):
        """The machine's build-dir is where the lease's is; a user's own stays as it is."""
        pathlib.Path(BUILDS).mkdir(parents=True)
        large = self.temporary_directory()
        self.start_emud()
        for options in ((), ("--rootless",)):
            with self.subTest(options=options):
                self.assertEqual(str(self.told(ROOT, options, {"NIX_CONFIG": f"build-dir = {large}"})), str(large))
                self.assertEqual(self.told(ROOT, options, {"NIX_USER_CONF_FILES": "/run/own.conf"}).parent, pathlib.Path(BUILDS))
                pathlib.Path("/run/own.conf").write_text("build-dir = /run/elsewhere\n")
                self.assertIsNone(self.told(ROOT, options, {"NIX_USER_CONF_FILES": "/nonexistent:/run/own.conf"}))
                os.unlink("/run/own.conf")
                NIX_CONF.write_text(f"{self.nix_conf}build-dir = {large}\n")
                self.assertEqual(self.told(ROOT, options).parent, large)
                NIX_CONF.write_text(self.nix_conf)
                shutil.rmtree(large / "nix-1")


class SingleUser(OfOneUser, BuildsTestCase):
    """Nix builds by itself there, as the caller."""


if __name__ == "__main__":
    main()
