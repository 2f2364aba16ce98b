"""Many real builds at the same time, by several users, through every way: all succeed, and nothing is left."""

from nix_support import *

BUILDS = 20
# Who runs what: an ordinary user's builds are the lease's nix-daemon's, root builds himself, some need no Nix.
KINDS = [(ALICE, "build"), (BOB, "build"), (ALICE, "run"), (BOB, "build"), (ROOT, "build")]


class Concurrent(NixTestCase):
    def begin(self, number):
        user, verb = KINDS[number % len(KINDS)]
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        if verb == "run":
            return self.start_emuctl("run", "-a", "aarch64", "--", guest("hello-arm64"), user=user, **output)
        return self.start_build(self.project(derivation(f"many-{number}"), user), user=user)

    def test_twenty_builds(self):
        emud = self.start_emud()
        running = [self.begin(number) for number in range(BUILDS)]
        uids = set()
        for number, process in enumerate(running):
            out, err = process.communicate(timeout=SECONDS_TO_RUN)
            self.assertEqual(process.returncode, 0, f"{process.args}: {err}")
            if KINDS[number % len(KINDS)][1] == "run":
                self.assertEqual(out, "hello from aarch64\n")
                continue
            self.assertRegex(out, rf"^/nix/store/\w+-many-{number}\n$")
            facts = self.facts(subprocess.CompletedProcess(process.args, 0, out, err))
            self.assert_sandboxed(facts)
            uids.add(int(facts["uid"][0]))
        self.assertTrue(uids.isdisjoint({ROOT.uid, ALICE.uid, BOB.uid}), uids)
        self.assertEqual(processes_left(self.processes_before | {emud.pid: ""}), {})
        self.assert_status(self.nix_store("--verify", "--check-contents"), 0)


if __name__ == "__main__":
    main()
