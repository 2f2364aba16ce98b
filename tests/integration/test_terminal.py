"""A terminal stays a terminal: through emud, which gives the command one of its own, and rootless, where it keeps the caller's."""

import fcntl
import pty
import select
import struct
import termios
import time

from essentials import *

SECONDS_TO_ANSWER = 30
PROMPT = "ready> "
TTYS = "import os; print('ttys', [os.isatty(n) for n in range(3)], os.isatty(os.open('/dev/tty', os.O_RDWR)))"

# Programs that say when a signal finds them ready for it, which a shell cannot do.
WAIT = """import signal; signal.signal(2, 0); print("wait" "ing", flush=True); signal.pause()"""
TAKE = """import signal, os; signal.pthread_sigmask(0, {2}); print("wait" "ing", flush=True); signal.sigwait({2}); os._exit(7)"""
RESIZE = """import signal, os; signal.pthread_sigmask(0, {28}); print("wait" "ing", flush=True); signal.sigwait({28})
print("si" "ze", *os.get_terminal_size())"""
CONTINUE = """import signal; signal.signal(2, 0); signal.pthread_sigmask(0, {18}); print("wait" "ing", flush=True)
signal.sigwait({18}); print("con" "tinued", flush=True); signal.pause()"""


def python(program):
    return f"{PYTHON} -Ic '{program}'".replace("\n", "; ")


class Screen:
    """A terminal of ours with an interactive shell of that user's in it, as a person would sit before it."""

    def __init__(self, user, environment, rows=24, columns=80):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        os.fchown(self.slave, user.uid, user.uid)
        self.text = ""
        self.shell = start(
            ["bash", "--norc", "--noprofile", "--noediting", "-i"], user,
            environment | {"PS1": PROMPT, "TERM": "xterm-256color", "HISTFILE": ""},
            stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.expect(PROMPT)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def modes(self):
        return termios.tcgetattr(self.slave)

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, wanted):
        """Reads until that has been written; returns what came before it. Each character is looked at once."""
        deadline = time.monotonic() + SECONDS_TO_ANSWER
        while wanted not in self.text:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise AssertionError(f"{wanted!r} did not come; there is {self.text!r}")
            try:
                data = os.read(self.master, 65536)
            except OSError as error:  # EIO: nobody has it open any more
                raise AssertionError(f"{wanted!r} did not come before the end; there is {self.text!r}") from error
            self.text += data.decode(errors="replace")
        before, _, self.text = self.text.partition(wanted)
        return before

    def command(self, line):
        """Types a line at the prompt; what it wrote, up to the next prompt."""
        self.type(line + "\n")
        self.expect("\n")  # the echo
        return self.expect(PROMPT)

    def wait_for_another_foreground(self):
        """Until the shell has given the terminal to a job, of which nothing tells."""
        deadline = time.monotonic() + SECONDS_TO_ANSWER
        while os.tcgetpgrp(self.master) == self.shell.pid:
            if time.monotonic() > deadline:
                raise AssertionError("the shell keeps the terminal")
            time.sleep(0.01)

    def close(self):
        self.shell.kill()
        self.shell.wait()
        os.close(self.master)
        os.close(self.slave)


class Terminals:
    options = ""

    def screen(self, **size):
        screen = Screen(ALICE, self.emuctl_environment(None), **size)
        self.addCleanup(screen.close)
        return screen

    def line(self, command, options=""):
        return f"{BIN_DIR}/emuctl run {self.options} {options} -a aarch64 -- {command}"

    def test_all_three_are_terminals(self):
        screen = self.screen()
        self.assertIn("ttys [True, True, True] True", screen.command(self.line(f'{PYTHON} -c "{TTYS}"')))

    def test_redirected_output_is_none(self):
        screen = self.screen()
        file = self.temporary_directory(ALICE) / "output"
        screen.command(self.line(f'{PYTHON} -c "{TTYS}" > {file}'))
        self.assertEqual(file.read_text(), "ttys [True, False, True] True\n")
        out = screen.command(f"echo piped | {self.line('cat')} | tr a-z A-Z")
        self.assertIn("PIPED", out)

    def test_no_terminal_of_its_own(self):
        screen = self.screen()
        out = screen.command(self.line("sh -c 'test -t 0; echo stdin is $?'", "-T"))
        self.assertIn("stdin is 0", out)  # the caller's, passed on as it is

    def test_size_and_type(self):
        screen = self.screen(rows=31, columns=97)
        out = screen.command(self.line("sh -c 'stty size; echo type $TERM'"))
        self.assertIn("31 97", out)
        self.assertIn("type xterm-256color", out)

    def test_change_of_size(self):
        screen = self.screen()
        screen.type(self.line(python(RESIZE)) + "\n")
        screen.expect("waiting")
        screen.resize(50, 132)
        screen.expect("size 132 50")
        screen.expect(PROMPT)

    def test_interrupt_ends_the_command(self):
        screen = self.screen()
        screen.type(self.line(python(WAIT)) + "\n")
        screen.expect("waiting")
        screen.type("\x03")
        screen.expect(PROMPT)
        self.assertIn("status 130", screen.command("echo status $?"))

    def test_interrupt_that_the_command_takes(self):
        screen = self.screen()
        screen.type(self.line(python(TAKE)) + "\n")
        screen.expect("waiting")
        screen.type("\x03")
        screen.expect(PROMPT)
        self.assertIn("status 7", screen.command("echo status $?"))

    def test_stop_and_continue(self):
        screen = self.screen()
        before = screen.modes()
        screen.type(self.line("sh -c 'echo wait''ing; read line; echo got $line'") + "\n")
        screen.expect("waiting")
        screen.type("\x1a")
        screen.expect("Stopped")
        screen.expect(PROMPT)
        self.assertEqual(screen.modes()[:4], before[:4])
        self.assertIn("here 2", screen.command("echo here $((1+1))"))
        screen.type("fg\n")
        screen.expect("emuctl run")
        screen.expect("\n")
        screen.type("some words\n")
        screen.expect("got some words")
        screen.expect(PROMPT)
        self.assertIn("status 0", screen.command("echo status $?"))

    def test_stop_and_continue_without_a_terminal_of_its_own(self):
        screen = self.screen()
        screen.type(self.line(python(CONTINUE), "-T") + "\n")
        screen.expect("waiting")
        screen.type("\x1a")
        screen.expect("Stopped")
        screen.expect(PROMPT)
        screen.type("fg\n")
        screen.expect("continued")
        screen.type("\x03")
        screen.expect(PROMPT)
        self.assertIn("status 130", screen.command("echo status $?"))

    def test_shell_with_job_control(self):
        screen = self.screen()
        screen.type(self.line("env PS1='inner> ' bash --norc --noprofile --noediting -i") + "\n")
        greeting = screen.expect("inner> ")
        self.assertNotIn("no job control", greeting)
        self.assertNotIn("cannot set terminal process group", greeting)
        screen.type(python(CONTINUE) + "\n")
        screen.expect("waiting")
        screen.type("\x1a")
        screen.expect("Stopped")
        screen.expect("inner> ")
        screen.type("fg\n")
        screen.expect("continued")
        screen.type("\x03")
        screen.expect("inner> ")
        screen.type("exit 5\n")
        screen.expect(PROMPT)
        self.assertIn("status 5", screen.command("echo status $?"))

    def test_end_of_input(self):
        screen = self.screen()
        screen.type(self.line("sh -c 'echo wait''ing; cat; echo the''end'") + "\n")
        screen.expect("waiting")
        screen.type("line\n\x04")
        screen.expect("theend")
        screen.expect(PROMPT)

    def test_terminal_is_restored(self):
        screen = self.screen()
        before = screen.modes()
        for script in ("kill -9 $$", "stty raw -echo; kill -9 $$", "exit 3", "exec no-such-command"):
            if "stty" in script and self.options:
                continue  # rootless it is the caller's own terminal, and the command may set it
            screen.type(self.line(f"sh -c '{script}'") + "\n")
            screen.expect("\n")
            screen.expect(PROMPT)
            self.assertEqual(screen.command("echo sta''tus").strip(), "status")
            self.assertEqual(screen.modes()[:4], before[:4], script)

    def test_output_before_the_end_is_complete(self):
        screen = self.screen()
        out = screen.command(self.line("seq 1 3000"))
        self.assertIn("2999\r\n3000\r\n", out)
        self.assertEqual(out.count("\n"), 3000)

    def test_background(self):
        screen = self.screen()
        screen.type(self.line("sh -c 'echo from''behind'") + " & wait $!; echo sta''tus $?\n")
        screen.expect("frombehind")
        screen.expect("status 0")

    def test_reading_in_the_background(self):
        screen = self.screen()
        screen.type(self.line("sh -c 'echo wait''ing; read line; echo got $line'") + " &\n")
        screen.expect("waiting")
        if "--rootless" in self.options:  # the terminal is the caller's, which stops who reads it from behind
            screen.command("until [ -z \"$(jobs -r)\" ]; do sleep 0.1; done")
        screen.type("fg\n")
        screen.wait_for_another_foreground()
        screen.type("some words\n")
        screen.expect("got some words")
        screen.expect(PROMPT)
        self.assertIn("status 0", screen.command("echo status $?"))


class ThroughEmud(Terminals, TestCase):
    def setUp(self):
        super().setUp()
        self.start_emud()

    def test_terminal_for_a_command_without_one(self):
        done = self.emuctl("run", "-t", "-a", "arm64", "--", "tty")
        self.assert_status(done, 0)
        self.assertIn("/dev/pts", done.stdout)

    def test_terminal_is_restored_after_a_kill_of_emuctl(self):
        """Not by the shell: one without job control leaves the modes alone."""
        screen = self.screen()
        screen.type(f"exec sh -c '{self.line(f'sh -c {chr(34)}echo wait$((1))ing; sleep 1000{chr(34)}')}; echo sta$((1))tus $?; read line'\n")
        screen.expect("wait1ing")
        raw, canonical = screen.modes()[3], termios.ICANON | termios.ECHO | termios.ISIG
        self.assertEqual(raw & canonical, 0)
        emuctl = min(pid for pid, command in processes().items() if command.startswith(f"{BIN_DIR}/emuctl"))  # not its guard
        os.kill(emuctl, signal.SIGKILL)
        screen.expect("sta1tus 137")
        deadline = time.monotonic() + SECONDS_TO_END
        while screen.modes()[3] & canonical != canonical or self.emuds[0].leases():
            self.assertLess(time.monotonic(), deadline, "the terminal was left raw, or the lease is still there")
            time.sleep(0.02)


class Rootless(Terminals, TestCase):
    options = "--rootless"


if __name__ == "__main__":
    main()
