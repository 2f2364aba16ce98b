"""What the fetcher of a running emud may not do: as the kernel tells it, and as it finds when it tries. The attempts are made by
that very process: system calls are put into it (ptrace(2))."""

import errno
import re

from essentials import *
from mirror_case import *
from syscalls import Injector, Watch, refuse

AT_FDCWD = -100
OPENAT, SOCKET, CONNECT, SENDTO, LISTEN, BIND, CLONE, FORK, EXECVE, KILL = 257, 41, 42, 44, 50, 49, 56, 57, 59, 62
GETPID, GETUID, SETUID, PTRACE, UNLINK, MKDIR, RENAME, SETNS, UNSHARE, MOUNT, PROCESS_VM_READV = (
    39, 102, 105, 101, 87, 83, 82, 308, 272, 165, 310)
CHMOD, PIDFD_OPEN, OPEN_BY_HANDLE = 90, 434, 304
NOT_ALLOWED = (-errno.EACCES, -errno.EPERM, -errno.EMFILE)  # the last: RLIMIT_NOFILE


def unix_address(path):
    return struct.pack("H", socket.AF_UNIX) + os.fsencode(path)


@unittest.skipUnless(os.uname().machine == "x86_64", "system calls are made by their numbers on x86_64")
class Fetcher(MirrorCase):
    def start_emud(self, *options, **started):
        """With something in its store."""
        emud = super().start_emud(*options, **started)
        self.assert_status(self.emuctl("run", "-a", "riscv64", "--", "true"), 0)
        self.before_download = self.installed(emud)
        self.assertEqual(len(self.before_download), 1)
        return emud

    def downloading(self):
        """The pid of a fetcher in the middle of a download."""
        mirror = self.mirror()
        client = self.start_install(mirror.url("/held/x.deb"))
        self.addCleanup(client.communicate)
        self.addCleanup(client.kill)
        self.assertTrue(mirror.held.wait(SECONDS_TO_RUN))
        [fetcher] = processes_named(EMUD_FETCHER)
        return fetcher

    def assert_unprivileged(self, fetcher, emud):
        status = dict(re.findall(r"^(\w+):\t(.*)$", pathlib.Path(f"/proc/{fetcher}/status").read_text(), re.M))
        self.assertNotIn("0", status["Uid"].split())
        self.assertNotIn("0", status["Gid"].split())
        self.assertEqual(status["Groups"].strip(), "")
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Seccomp"], "2")
        opened = [os.readlink(f"/proc/{fetcher}/fd/{fd}") for fd in os.listdir(f"/proc/{fetcher}/fd")]
        files = [path for path in opened if path.startswith("/") and path != "/dev/null" and not path.startswith("/memfd:")]
        self.assertTrue(files)
        for path in files:  # unnamed ones, of the package and of what it writes
            self.assertRegex(path, rf"^{emud.state}/.* \(deleted\)$")
        limits = pathlib.Path(f"/proc/{fetcher}/limits").read_text()
        self.assertRegex(limits, r"Max file size +\d+ +\d+ ")
        self.assertRegex(limits, r"Max cpu time +\d+ +\d+ ")
        self.assertRegex(limits, r"Max address space +\d+ +\d+ ")
        self.assertRegex(limits, r"Max core file size +0 +0 ")
        self.assertNotIn("http", pathlib.Path(f"/proc/{fetcher}/cmdline").read_text())

    def assert_harmless(self, fetcher, call, emud, has_landlock=True):
        """The attempts, with those that must succeed first."""
        self.assertEqual(call(GETPID), fetcher)
        self.assertNotEqual(call(GETUID), 0)
        entry = emud.state / "store" / self.before_download[0]
        files = (emud.state, emud.state / "store", entry, entry / "qemu-riscv64", "/etc/passwd", "/proc/self/status", "/")
        for path in files:
            result = call(OPENAT, AT_FDCWD, str(path), os.O_RDONLY)
            self.assertIn(result, NOT_ALLOWED, path) if has_landlock else self.assertGreaterEqual(result, 0, path)
        closed = [emud.state / "store/new", entry / "qemu-riscv64", emud.directory / "new", emud.runtime / "new"]
        for path in closed + (["/tmp/new"] if has_landlock else []):  # where every user may write
            for flags in os.O_WRONLY | os.O_CREAT, os.O_RDWR, os.O_RDWR | os.O_TRUNC:
                self.assertIn(call(OPENAT, AT_FDCWD, str(path), flags, 0o666), (*NOT_ALLOWED, -errno.ENOENT), path)
        for attempt in ((UNLINK, str(entry / "qemu-riscv64")), (MKDIR, str(emud.state / "store/new"), 0o755),
                        (RENAME, str(entry), str(emud.state / "other")), (CHMOD, str(entry / "qemu-riscv64"), 0o777)):
            self.assertIn(call(*attempt), NOT_ALLOWED, attempt)
        self.assertEqual(call(SOCKET, socket.AF_UNIX, socket.SOCK_STREAM, 0), -errno.EAFNOSUPPORT)
        self.assertEqual(call(SOCKET, socket.AF_NETLINK, socket.SOCK_RAW, 0), -errno.EAFNOSUPPORT)
        for attempt in ((EXECVE, "/bin/true", 0, 0), (FORK,), (CLONE, signal.SIGCHLD, 0, 0, 0, 0), (KILL, emud.pid, 0),
                        (KILL, -1, 0), (PTRACE, 16, emud.pid, 0, 0), (PIDFD_OPEN, emud.pid, 0), (SETNS, 0, 0),
                        (UNSHARE, 0x10000000), (MOUNT, "none", "/", "tmpfs", 0, 0), (PROCESS_VM_READV, emud.pid, 0, 0, 0, 0, 0),
                        (SETUID, 0), (OPEN_BY_HANDLE, 0, 0, 0), (LISTEN, 0, 1)):
            self.assertEqual(call(*attempt), -errno.EPERM, attempt)

    def test_downloading(self):
        emud = self.start_emud()
        self.assertNotIn("this kernel has no", emud.text())
        fetcher = self.downloading()
        self.assert_unprivileged(fetcher, emud)
        with Injector(fetcher) as call:
            self.assert_harmless(fetcher, call, emud)
            # What resolving names needs, and the internet, it has.
            self.assertGreater(call(OPENAT, AT_FDCWD, "/etc/hosts", os.O_RDONLY), 0)
            internet = call(SOCKET, socket.AF_INET, socket.SOCK_STREAM, 0)
            self.assertGreater(internet, 0)
            address = unix_address(emud.socket)
            self.assertIn(call(CONNECT, internet, address, len(address)), (-errno.EAFNOSUPPORT, -errno.EINVAL))
            self.assertEqual(call(LISTEN, internet, 1), -errno.EPERM)
        self.assertEqual(self.installed(emud), self.before_download)

    def test_unpacking(self):
        watch = Watch({"write": 3})
        watch.hold("emud-fetcher unpack", "write", 2)
        emud = self.start_emud(preexec_fn=watch.install)
        client = self.start_install(self.mirror().url("/good/x.deb"))
        self.addCleanup(client.communicate)
        self.assertTrue(watch.held.wait(SECONDS_TO_RUN))
        self.addCleanup(client.kill)
        self.assert_unprivileged(watch.pid, emud)
        with Injector(watch.pid) as call:
            self.assert_harmless(watch.pid, call, emud)
            self.assertIn(call(OPENAT, AT_FDCWD, "/etc/hosts", os.O_RDONLY), NOT_ALLOWED)
            self.assertEqual(call(SOCKET, socket.AF_INET, socket.SOCK_STREAM, 0), -errno.EAFNOSUPPORT)
        os.kill(watch.pid, signal.SIGKILL)
        watch.released.set()

    def test_without_landlock(self):
        """emud says so when it starts; the fetcher then may do with files what every user may: nothing to the store."""
        emud = self.start_emud(preexec_fn=lambda: refuse("landlock_create_ruleset"))
        self.assertIn("this kernel has no Landlock", emud.text())
        fetcher = self.downloading()
        self.assert_unprivileged(fetcher, emud)
        with Injector(fetcher) as call:
            self.assert_harmless(fetcher, call, emud, has_landlock=False)
        os.kill(fetcher, signal.SIGKILL)
        self.assert_status(self.install(self.mirror().url("/good/x.deb")), 0)

    def test_it_ends_with_its_client(self):
        emud = self.start_emud()
        mirror = self.mirror()
        client = self.start_install(mirror.url("/held/x.deb"))
        self.addCleanup(client.communicate)
        self.assertTrue(mirror.held.wait(SECONDS_TO_RUN))
        client.kill()
        self.assertTrue(wait_until(lambda: not processes_named(EMUD_FETCHER)), "the client is gone, its fetcher is not")
        self.assertEqual(self.installed(emud), self.before_download)


if __name__ == "__main__":
    main()
