"""emud beside other programs that use the host's binfmt_misc: they may remove its entries, it never touches theirs."""

import statistics
import threading

from essentials import *
from wire_client import *

WIPE_SECONDS = float(os.environ.get("EMUD_WIPE_SECONDS", "30"))
WIPE_PERIOD = 0.2
HEAL_LIMIT = 0.1  # seconds, on a machine that is not busy
ENTRY = "emud-aarch64"
# With it, AARCH64_MAGIC takes every aarch64 program, whatever its ABI byte says.
AARCH64_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
# Other programs' ways to remove what is not theirs.
WIPES = {
    "systemd-binfmt": lambda: write(f"{BINFMT_MISC}/status", "-1"),
    "tonistiigi/binfmt --uninstall, update-binfmts": lambda: write(f"{BINFMT_MISC}/{ENTRY}", "-1"),
    "switched off": lambda: write(f"{BINFMT_MISC}/{ENTRY}", "0"),
}


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def is_good(name=ENTRY):
    try:
        return entry(name).startswith("enabled")
    except FileNotFoundError:
        return False


class CoexistenceCase(HolderCase):
    def setUp(self):
        super().setUp()
        self.emud = self.start_emud()
        self.addCleanup(self.unregister_all)

    def unregister_all(self):
        for name in handlers():
            unregister_by_hand(name)

    def release(self, process):
        _, err = process.communicate("", SECONDS_TO_RUN)
        self.assertEqual((process.returncode, err), (0, ""))

    def wait_until(self, condition, what, seconds=SECONDS_TO_END):
        """Seconds that took."""
        began = time.monotonic()
        while not condition():
            self.assertLess(time.monotonic() - began, seconds, f"{what}\n{handlers()}\n{self.emud.text()}")
        return time.monotonic() - began

    def handler(self):
        return next((one for one in status(self.emud)["handlers"] if one["architecture"] == "aarch64"), None)

    def foreign(self, name):
        return next(one for one in status(self.emud)["foreign"] if one["name"] == name)

    def program(self):
        """What a foreign program prints just now, and with which status it ends."""
        done = run([guest("hello-arm64")], ALICE)
        return done.stdout, done.returncode


class Healing(CoexistenceCase):
    def test_each_way_to_lose_an_entry(self):
        process = self.hold("arm64")
        latencies = []
        for name, wipe in WIPES.items():
            with self.subTest(name):
                wipe()
                latencies.append(self.wait_until(is_good, "it was not put back"))
                self.assertEqual(self.program(), ("hello from aarch64\n", 0))
        print(f"put back after {', '.join(f'{1000 * one:.1f}' for one in latencies)} ms", file=sys.stderr)
        self.assertLess(statistics.median(latencies), HEAL_LIMIT * a_second())
        self.assertEqual(self.handler()["healed"], len(WIPES))
        self.assertIn("(put back 3 times)", self.emuctl("status").stdout)
        self.release(process)
        self.assertEqual(handlers(), [])
        log = self.emud.text()
        self.assertIn(f"{ENTRY} was lost: another program removed it", log)
        self.assertRegex(log, f"it is needed by lease [0-9a-f]+ of user {CAROL.uid}")

    def test_pin_is_put_back(self):
        self.assert_status(self.emuctl("register", "arm64", user=CAROL), 0)
        WIPES["systemd-binfmt"]()
        self.wait_until(is_good, "it was not put back")
        self.assertIn("needed by `emuctl register`", self.emud.text())
        self.assert_status(self.emuctl("unregister", "arm64", user=CAROL), 0)
        self.assertEqual(handlers(), [])

    def test_after_a_restart(self):
        process = self.hold("arm64")
        self.emud.kill()
        self.emud.start()
        WIPES["systemd-binfmt"]()
        self.wait_until(is_good, "it was not put back")
        self.release(process)

    def test_what_nobody_needs_is_not_put_back(self):
        self.release(self.hold("arm64"))
        write(f"{BINFMT_MISC}/status", "-1")
        process = self.hold("riscv64")
        write(f"{BINFMT_MISC}/status", "-1")
        self.wait_until(lambda: handlers() == ["emud-riscv64"], "only what is needed")
        self.release(process)

    def test_unmounted(self):
        process = self.hold("arm64")
        run(["umount", BINFMT_MISC])
        # This "host" forgets its entries with the mount, as a container's would.
        self.wait_until(is_good, "it was not mounted and put back")
        WIPES["systemd-binfmt"]()
        self.wait_until(is_good, "the new mount is not watched")
        self.release(process)

    def test_read_only_for_a_while(self):
        process = self.hold("arm64")
        second = self.temporary_directory()  # another way to the same entries
        run(["mount", "-t", "binfmt_misc", "binfmt_misc", second])
        try:
            self.assert_status(run(["mount", "-o", "remount,ro,bind", BINFMT_MISC]), 0)
            write(second / ENTRY, "-1")
        finally:
            run(["umount", second])
        self.wait_until(lambda: self.handler()["state"] == "lost", "the loss is not told")
        self.assertIn("Read-only", self.handler()["reason"])
        self.assert_status(run(["mount", "-o", "remount,rw,bind", BINFMT_MISC]), 0)
        self.wait_until(is_good, "it was not put back")
        self.wait_until(lambda: self.handler()["state"] == "ready", "the end of the loss is not told")
        self.release(process)

    def test_fight(self):
        """Somebody who removes it whenever it appears is not fought with all this machine's power."""
        process = self.hold("arm64")
        stop, removed = threading.Event(), []

        def remove():
            while not stop.is_set():
                if ENTRY in handlers():
                    unregister_by_hand(ENTRY)
                    removed.append(1)
                else:
                    time.sleep(0.001)

        thread = threading.Thread(target=remove)
        thread.start()
        self.wait_until(lambda: self.handler()["state"] == "lost", "it does not back off")
        time.sleep(2)
        count = len(removed)
        stop.set()
        thread.join()
        self.assertLess(count, 60)
        self.assertIn("backs off", self.emud.text())
        self.assertLess(len(self.emud.text().splitlines()), 60)
        self.wait_until(is_good, "it gave up", 15)
        self.release(process)
        self.assertEqual(handlers(), [])

    def test_everything_switched_off(self):
        process = self.hold("arm64")
        write(f"{BINFMT_MISC}/status", "0")
        self.wait_until(lambda: "switched binfmt_misc off as a whole" in self.emud.text(), "it is not told")
        self.assertEqual(self.handler()["state"], "lost")
        shown = status(self.emud)
        self.assertFalse(shown["hostScope"])
        self.assertIn("switched off", shown["hostReason"])
        done = self.emuctl("lease", "riscv64", user=CAROL)
        self.assert_status(done, 1)
        self.assertIn("switched off", done.stderr)
        self.assertEqual(pathlib.Path(f"{BINFMT_MISC}/status").read_text(), "disabled\n", "emud never writes to it")
        write(f"{BINFMT_MISC}/status", "1")
        self.wait_until(lambda: self.handler()["state"] == "ready", "it is not seen")
        self.assertEqual(self.program(), ("hello from aarch64\n", 0))
        self.release(process)


class Foreign(CoexistenceCase):
    """Another program's entry for the same architecture: /bin/echo, so that it shows who runs a program."""

    def register(self, name="qemu-aarch64", flags="F"):
        return register_by_hand(name, AARCH64_MAGIC, "/bin/echo", flags, AARCH64_MASK)

    def assert_runs_by(self, emud):
        out, _ = self.program()
        self.assertEqual(out == "hello from aarch64\n", emud, out)

    def test_newest_wins(self):
        text = self.register()
        self.assert_runs_by(emud=False)
        process = self.hold("arm64")
        self.assert_runs_by(emud=True)
        self.assertIn("comes before it", self.foreign("qemu-aarch64")["note"])
        self.release(process)
        self.assertEqual(handlers(), ["qemu-aarch64"])
        self.assertEqual(entry("qemu-aarch64"), text)
        self.assert_runs_by(emud=False)

    def test_one_registered_later(self):
        process = self.hold("arm64")
        text = self.register()
        self.wait_until(lambda: self.program()[0] == "hello from aarch64\n", "emud's is not the newest")
        self.assertIn("registered a newer entry", self.emud.text())
        self.assertEqual(entry("qemu-aarch64"), text)
        self.release(process)
        self.assert_runs_by(emud=False)

    def test_one_registered_while_emud_is_down(self):
        self.assert_status(self.emuctl("register", "arm64", user=CAROL), 0)
        self.emud.kill()
        text = self.register()
        self.assert_runs_by(emud=False)
        self.emud.start()
        self.assert_runs_by(emud=True)
        self.assertEqual(entry("qemu-aarch64"), text)
        self.assert_status(self.emuctl("unregister", "arm64", user=CAROL), 0)
        self.assert_runs_by(emud=False)

    def test_credentials_are_pointed_out(self):
        self.register("odd", "FC")
        register_by_hand("plain", "MZ")
        self.assertIn("flag C", self.foreign("odd")["note"])
        self.assertNotIn("note", self.foreign("plain"))
        self.assertIn("flag C", self.emuctl("status").stdout)

    def test_entry_of_emuds_name(self):
        """Lost to somebody who uses its name: told, and left alone."""
        process = self.hold("arm64")
        os.kill(self.emud.pid, signal.SIGSTOP)  # else it is quicker
        unregister_by_hand(ENTRY)
        text = register_by_hand(ENTRY, AARCH64_MAGIC, "/bin/echo", mask=AARCH64_MASK)
        os.kill(self.emud.pid, signal.SIGCONT)
        self.wait_until(lambda: self.handler()["state"] == "lost", "it is not told")
        self.release(process)
        self.assertEqual(entry(ENTRY), text)


# What a cross build does: the compiler is native, what it made is run, and the first that fails ends it.
MAKEFILE = f"""
all: {" ".join(f"checked{number}" for number in range(5))}
checked%: test%
\t./$< >$@
test%: test.c
\taarch64-linux-gnu-gcc -O2 -static -o $@ $<
"""
TEST_PROGRAM = """
#include <stdio.h>
#include <unistd.h>
int main(void) { usleep(500000); puts("good"); return 0; }
"""
BUILD_SCRIPT = """
while [ $(date +%s) -lt {end} ]; do make -s all && rm -f checked? test? || exit 1; builds=$((builds + 1)); done
echo $builds
"""
# Programs that start all the time, and how many of them could not.
COUNT_SCRIPT = """
ran=0; failed=0
while [ $(date +%s) -lt {end} ]; do
  if [ "$({program} 2>&1)" = "hello from aarch64" ]; then ran=$((ran + 1)); else failed=$((failed + 1)); fi
  sleep 0.02
done
echo $ran $failed
"""


class Wipe(CoexistenceCase):
    def start_script(self, script, directory):
        end = round(time.time() + WIPE_SECONDS)
        return self.start_emuctl("run", "--scope", "host", "-a", "arm64", "--", "bash", "-c",
                                 script.format(end=end, program=guest("hello-arm64")), user=CAROL, cwd=directory,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def finish(self, process):
        out, err = process.communicate(timeout=WIPE_SECONDS + SECONDS_TO_RUN)
        self.assertEqual(process.returncode, 0, out + err)
        return [int(word) for word in out.split()]

    def test_build_under_a_wipe(self):
        """All entries are flushed every 200 ms; a build in the host scope goes on. There is a gap between a flush and the repair
        (emuctl(1), NOTES): of programs that start all the time, a few of ten thousand find it, and that is put up with."""
        others = {"WSLInterop": ("MZ", "/bin/false", "P"), "jar": ("PK", "/bin/echo", "")}
        holder = self.hold("arm64")
        directory = self.temporary_directory(CAROL)
        (directory / "Makefile").write_text(MAKEFILE)
        (directory / "test.c").write_text(TEST_PROGRAM)
        stop, latencies = threading.Event(), []

        def wipe():
            while not stop.wait(WIPE_PERIOD):
                WIPES["systemd-binfmt"]()
                began = time.monotonic()
                while not is_good():
                    if time.monotonic() - began > 5:
                        return
                latencies.append(time.monotonic() - began)

        thread = threading.Thread(target=wipe)
        thread.start()
        try:
            build, count = (self.start_script(script, directory) for script in (BUILD_SCRIPT, COUNT_SCRIPT))
            (builds,), (ran, failed) = self.finish(build), self.finish(count)
        finally:
            stop.set()
            thread.join()
        latencies.sort()
        print(f"{len(latencies)} wipes in {WIPE_SECONDS:.0f} s: put back after {1000 * statistics.median(latencies):.2f} ms "
              f"(median), {1000 * latencies[-1]:.2f} ms (longest); {builds} builds went well; of other programs {ran} ran, {failed} "
              "did not start", file=sys.stderr)
        self.assertGreater(len(latencies), WIPE_SECONDS / WIPE_PERIOD / 2)
        self.assertLess(statistics.median(latencies), HEAL_LIMIT)
        self.assertGreater(builds, 0)
        self.assertGreater(ran, 20)
        self.assertLessEqual(failed, max(2, ran // 100))
        self.wait_until(is_good, "it was not put back")
        before = {name: register_by_hand(name, *arguments) for name, arguments in others.items()}
        unregister_by_hand(ENTRY)
        self.wait_until(is_good, "it was not put back")
        self.release(holder)
        self.assertEqual({name: entry(name) for name in handlers()}, before)


if __name__ == "__main__":
    main()
