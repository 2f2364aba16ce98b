"""What the tests with a real Nix share: a machine's Nix of the test's own, derivations whose builder is a foreign program, and a gate
that a builder waits at."""

import grp
import os
import pathlib
import select
import shutil
import subprocess
import time

from support import *

NIX_CONF = pathlib.Path("/etc/nix/nix.conf")
GATE = pathlib.Path("/run/gate")
BUSYBOX = "/bin/busybox"
HOST_SYSTEM = f"{os.uname().machine}-linux"


def build_users():
    """The uids of the machine's build users."""
    import pwd
    return {pwd.getpwnam(name).pw_uid for name in grp.getgrnam("nixbld").gr_mem}


def uid_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/status").read_text().split("\nUid:")[1].split()[0])


def derivation(name, mode="facts", system="aarch64-linux", arguments=(), native=False, **attributes):
    """A Nix expression of a derivation that runs nix-builder (native: busybox) of the folder bin with these arguments. Arguments
    are Nix strings without quotes: ${...} is expanded."""
    words = " ".join(f'"{word}"' for word in ([] if native else [mode]) + list(arguments))
    more = "".join(f" {key} = {value};" for key, value in attributes.items())
    program = "busybox" if native else "nix-builder"
    return f'derivation {{ name = "{name}"; system = "{system}"; builder = "${{bin}}/{program}"; args = [ {words} ];{more} }}'


def expression(body):
    return f"let bin = ./bin; in {body}\n"


class Gate:
    """A FIFO that a builder in the mode `gate` waits at; builders see its folder, which is a sandbox path of nix.conf."""

    def __init__(self, name):
        self.path = GATE / name
        self.descriptor = None
        os.mkfifo(self.path)
        self.path.chmod(0o666)

    def open(self):
        """Lets the builder go on that is there or comes."""
        # fifo(7): this waits for no reader, and what is written stays while it is open.
        self.descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        os.write(self.descriptor, b"x")

    def __del__(self):
        if self.descriptor is not None:
            os.close(self.descriptor)


class OfOneUser:
    """What is checked of a Nix whose /nix is the caller's own, with or without emud. Beside a NixTestCase that has check(user, options)."""

    owner = ALICE

    def test_through_emud(self):
        self.start_emud()
        self.check(ALICE)

    def test_rootless(self):
        self.check(ALICE, ("--rootless",))


class NixTestCase(TestCase):
    """Each test has an empty /nix of its own, which belongs to `owner` (root: with build users), and /etc/nix/nix.conf."""

    owner = ROOT
    nix_conf = f"substituters =\nextra-sandbox-paths = {GATE}\n"

    def setUp(self):
        super().setUp()
        self.require(shutil.which("nix-build"), "nix-build is not installed (nix-bin)")
        self.require(os.path.isdir("/nix"), "there is no directory /nix (tests/run makes it)")
        self.require(machine_emulator("aarch64"), "there is no static qemu-aarch64 (qemu-user-static)")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/nix"], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", "/nix"], check=True)
        os.chown("/nix", self.owner.uid, self.owner.uid)
        NIX_CONF.parent.mkdir(exist_ok=True)
        NIX_CONF.write_text(self.nix_conf)
        self.addCleanup(shutil.rmtree, NIX_CONF.parent)
        GATE.mkdir()
        self.addCleanup(shutil.rmtree, GATE)
        self.assert_status(self.nix_store("--init"), 0)

    def nix_store(self, *arguments, user=None, env=None):
        """The machine's own nix-store, with the store itself."""
        return run(["nix-store", *arguments], user or self.owner, {"NIX_REMOTE": "local"} | (env or {}))

    def make_store_read_only(self):
        """As on NixOS: /nix/store is a read-only bind mount of itself."""
        subprocess.run(["mount", "--bind", "/nix/store", "/nix/store"], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", "/nix/store"], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro,nodev", "/nix/store"], check=True)

    def project(self, text, user=ALICE):
        """A folder of that user's with default.nix and the programs of builders in bin/."""
        folder = self.temporary_directory(user)
        programs = folder / "bin"
        programs.mkdir()
        shutil.copy(guest("nix-builder"), programs / "nix-builder")
        shutil.copy(BUSYBOX, programs / "busybox")
        (folder / "default.nix").write_text(expression(text))
        for path in [programs, *programs.iterdir(), folder / "default.nix"]:
            os.chown(path, user.uid, user.uid)
        return folder

    def build(self, folder, *arguments, options=("-a", "aarch64"), **more):
        """emuctl build -- --no-out-link ARGUMENTS."""
        return self.emuctl("build", *options, "--", "--no-out-link", *arguments, cwd=folder, **more)

    def start_build(self, folder, *arguments, options=("-a", "aarch64"), **more):
        process = self.start_emuctl("build", *options, "--", "--no-out-link", *arguments, cwd=folder,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        return process

    def wait_for_line(self, process, wanted):
        """Reads its stderr up to that line."""
        deadline = time.monotonic() + SECONDS_TO_RUN
        seen = b""
        while f"\n{wanted}\n".encode() not in b"\n" + seen.replace(b"\r", b""):
            readable, _, _ = select.select([process.stderr], [], [], max(0, deadline - time.monotonic()))
            data = os.read(process.stderr.fileno(), 65536) if readable else b""
            if not data:
                happened = "has not yet" if not readable else "ended before it has"
                self.fail(f"{process.args} {happened} printed {wanted!r}:\n{seen.decode()}\n{processes()}")
            seen += data

    def facts(self, completed):
        """What the builder said about itself: name -> the words behind it."""
        self.assert_status(completed, 0)
        text = pathlib.Path(completed.stdout.split()[-1]).read_text()
        return {line.split()[0]: line.split()[1:] for line in text.splitlines()}

    def assert_sandboxed(self, facts):
        self.assertEqual(facts["machine"], ["aarch64"])
        self.assertEqual(facts["directory"], ["/build"])
        self.assertEqual(facts["interfaces"], ["lo"])
        self.assertEqual(facts["passwd"], ["nixbld", "1", "alice", "0"])
        self.assertEqual(facts["shadow"], ["0"])
