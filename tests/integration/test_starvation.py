"""One lease's fork bomb, within nothing but the limits that every lease has, while somebody else builds; and whose cgroup is whose."""

import re

from test_rights import RightsCase
from essentials import *
from wire_client import *

# Forks as long as it can and for ever; says how many of its children live when it first cannot. Small: thousands of it have to fit.
BOMB = r"""
#include <stdio.h>
#include <unistd.h>
int main(void) {
  for (int count = 0, told = 0;; ) {
    const pid_t child = fork();
    if (child == 0) for (;;) pause();
    if (child > 0) { count++; continue; }
    if (!told) { printf("%d\n", count); fflush(stdout); told = 1; }
    usleep(1000);
  }
}
"""
DEFAULT_LIMIT = 8192
BUILD = ("sh", "-c", f"for i in 1 2 3 4 5 6 7 8 9 10; do {guest('hello-arm64')} || exit 1; done")


class ForkBomb(RightsCase):
    def setUp(self):
        super().setUp()
        self.require(shutil.which("cc"), "there is no C compiler")
        directory = self.temporary_directory()
        directory.chmod(0o755)
        self.bomb = directory / "bomb"
        done = run(["cc", "-O1", "-static", "-x", "c", "-o", self.bomb, "-"], input=BOMB)
        self.assert_status(done, 0)

    def build(self, *options):
        """How long the other's takes."""
        began = time.monotonic()
        done = self.emuctl("run", *options, "-a", "aarch64", "--", *BUILD, user=BOB)
        self.assert_status(done, 0)
        self.assertEqual(done.stdout, 10 * "hello from aarch64\n")
        return time.monotonic() - began

    def check(self, user, *options):
        alone = self.build()
        bomb = self.start_emuctl("run", *options, "-a", "aarch64", "--", self.bomb, user=user, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        count = int(bomb.stdout.readline())
        self.assertTrue(DEFAULT_LIMIT * 0.9 < count <= DEFAULT_LIMIT, count)
        beside = [self.build() for _ in range(2)]
        self.assertLess(min(beside), 10 * alone + 2)
        lease, = (one for one in status(self.emud)["leases"] if one["pid"] == bomb.pid)
        self.assertEqual(lease["state"], "ready")
        with Wire(self.emud.socket) as wire:
            wire.call("Cancel", {"lease": lease["id"]})
        bomb.communicate(timeout=SECONDS_TO_RUN)
        self.assertEqual(bomb.returncode, 125)
        print(f"{count} processes; the other's build took {alone:.2f} s without and {min(beside):.2f} s beside them", file=sys.stderr)
        self.assertEqual(processes_left(self.processes_before | {self.emud.pid: ""}), {})

    def test_private(self):
        self.check(ALICE)

    def test_host(self):
        self.check(CAROL, "--scope", "host")


class CgroupOfAUser(RightsCase):
    def test_leases_of_a_user_are_in_one_of_his(self):
        """What a user's leases share is his: cpu.weight is the same for each user, however many leases he has."""
        self.require(os.environ.get("EMUD_TEST_CGROUP"), "no cgroup v2 can be written here")
        held = [self.start_holding(user) for user in (ALICE, ALICE, BOB)]
        found = {}
        for path in cgroups():
            if match := re.fullmatch(r"(?:.*/)?emud-user-[0-9a-f]{8}-(\d+)/([0-9a-f]{8})", path):
                found.setdefault(int(match[1]), set()).add(match[2])
        self.assertEqual(found, {ALICE.uid: {held[0][1], held[1][1]}, BOB.uid: {held[2][1]}})
        self.finish(held[0][0])
        self.finish(held[2][0])
        self.assertEqual([path for path in cgroups() if path.endswith(f"-{BOB.uid}")], [])
        self.emud.kill()
        self.finish(held[1][0])  # its keeper takes the user's with it
        self.assertEqual(cgroups(), self.before["cgroups"])
        self.emud.start()


if __name__ == "__main__":
    main()
