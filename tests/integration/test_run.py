"""`emuctl run` through emud: what only that way has, and all of essentials.py."""

import other_emulator
from essentials import *
from two_versions import TwoVersions

NEWUIDMAP = """
import os, subprocess, sys, ctypes
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    if ctypes.CDLL(None).unshare(0x10000000) != 0: os._exit(1)
    os.write(writer, b"x")
    os.read(sys.stdin.fileno(), 1)
    os._exit(0)
os.read(reader, 1)
print(subprocess.run(["newuidmap", str(child), "0", str(os.getuid()), "1", "1", "200000", "10"]).returncode)
print(" ".join(open(f"/proc/{child}/uid_map").read().split()))
"""


class RunThroughEmud(Essentials, TwoVersions, TestCase):
    def setUp(self):
        super().setUp()
        self.start_emud("--lease-processes", "none")  # else RLIMIT_NPROC is the smaller of the caller's and that

    def test_limits_are_never_raised(self):
        emud = self.emuds[0]
        resource.prlimit(emud.pid, resource.RLIMIT_CORE, (0, 1000))
        leased = self.reports()[1]
        self.assertEqual(leased["limits"]["RLIMIT_CORE"][1], 1000)

    def test_groups_are_the_callers_own(self):
        # Rootless, the kernel shows group ids that are not mapped as nobody's.
        done = self.emuctl_run("id", "-G", user=CAROL)
        self.assertEqual(done.stdout.split(), [str(CAROL.uid), "64000"])
        self.assertEqual(self.emuctl_run("id", "-G", user=ALICE).stdout.split(), [str(ALICE.uid)])

    def test_setuid_programs_work_inside(self):
        directory = self.temporary_directory()
        directory.chmod(0o755)
        program = directory / "id"
        shutil.copy(shutil.which("id"), program)
        program.chmod(0o4755)
        done = self.emuctl_run(program, "-u")
        self.assertEqual(done.stdout, "0\n")
        done = self.emuctl_run(program, "-u", preexec_fn=no_new_privileges)
        self.assertEqual(done.stdout, f"{ALICE.uid}\n")

    def test_newuidmap_works_inside(self):
        self.require(shutil.which("newuidmap"), "newuidmap is not installed (package uidmap)")
        for file in "/etc/subuid", "/etc/subgid":
            with open(file, "a", encoding="utf-8") as lines:
                lines.write("alice:200000:1000\n")
        done = self.emuctl_run(PYTHON, "-I", "-c", NEWUIDMAP)
        self.assertEqual(done.stdout.splitlines(), ["0", f"0 {ALICE.uid} 1 1 200000 10"], done.stderr)

    def test_root_keeps_no_capability_outside(self):
        # Root's command has them in the lease's own user namespace, which owns nothing of the machine's.
        done = self.emuctl_run("sh", "-c", "mount -t tmpfs none /mnt; umount /mnt; hostname emud-test-name", user=ROOT)
        self.assertNotEqual(done.returncode, 0)
        self.assertNotEqual(os.uname().nodename, "emud-test-name")

    def test_json_events(self):
        reader, writer = os.pipe()
        with open(reader, encoding="utf-8") as events:
            done = self.emuctl("run", "-a", "aarch64", "--json-events", str(writer), "--", "sh", "-c", "exit 3", pass_fds=(writer,))
            os.close(writer)
            self.assert_status(done, 3)
            lines = [json.loads(line) for line in events]
        self.assertEqual(lines[-1]["event"], "exit")
        self.assertEqual(lines[-1]["status"], 3)
        self.assertIn("lease", [line["event"] for line in lines])


if __name__ == "__main__":
    if "EMUD_HERMETIC" not in os.environ:
        other_emulator.fetch()
    main()
