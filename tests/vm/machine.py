"""A virtual machine with a real Debian in it: booted by QEMU in software (a host with no /dev/kvm will do), its disk thrown away at
the end. All it reaches by its network is this machine's Debian mirror. Its agent (guest/agent) runs shell scripts on the second serial
line."""

import base64
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import tarfile
import tempfile
import time
import urllib.parse

HERE = pathlib.Path(__file__).parent
SECONDS_TO_BOOT = 300
SECONDS_TO_RUN = 300
PAYLOAD = "/payload"  # where the files of the test are in the guest


class Answer:
    """What a script did: status, stdout, stderr and the seconds it took."""

    def __init__(self, script, status, stdout, stderr, seconds):
        self.script, self.status, self.stdout, self.stderr, self.seconds = script, status, stdout, stderr, seconds

    def __str__(self):
        return f"{self.script}\nstatus {self.status} after {self.seconds:.1f} s\nstdout: {self.stdout}\nstderr: {self.stderr}"


class Machine:
    """images: the folder of tests/vm/image. files: name in the guest's /payload -> path here."""

    def __init__(self, codename, images, files):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="emud-vm-"))
        self.console = self.folder / "console.log"
        self.log = []
        self.buffer = b""
        ours, its = socket.socketpair()
        self.line = ours
        payload = self.pack(files)
        mirror = (images / f"{codename}.mirror").read_text().strip()
        port = urllib.parse.urlsplit(mirror).port or 80
        arguments = [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg,thread=multi",
            "-smp", "2", "-m", "4608", "-kernel", f"{images}/{codename}.vmlinuz", "-append",
            "root=/dev/nvme0n1 rw console=ttyS0 net.ifnames=0 mitigations=off systemd.show_status=false loglevel=4 audit=0",
            "-drive", f"file={images}/{codename}.ext4,if=none,id=root,format=raw,snapshot=on", "-device", "nvme,drive=root,serial=root",
            "-drive", f"file={payload},if=none,id=payload,format=raw,read-only=on", "-device", "virtio-blk-pci,drive=payload",
            "-serial", f"file:{self.console}", "-chardev", f"socket,id=agent,fd={its.fileno()}", "-serial", "chardev:agent",
            "-netdev", f"user,id=net,restrict=on,guestfwd=tcp:10.0.2.100:{port}-cmd:{shlex.quote(str(HERE / 'mirror'))} {mirror}",
            "-device", "virtio-net-pci,netdev=net"]
        self.qemu = subprocess.Popen(arguments, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL,
                                     env=os.environ | {"TMPDIR": str(self.folder)})
        its.close()

    def pack(self, files):
        path = self.folder / "payload.tar"
        with tarfile.open(path, "w") as archive:
            for name, source in files.items():
                archive.add(source, name)
        os.truncate(path, (path.stat().st_size + 0xFFFFF) & ~0xFFFFF)
        return path

    def read_line(self, seconds, what):
        deadline = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            self.line.settimeout(max(0.1, deadline - time.monotonic()))
            try:
                data = self.line.recv(65536)
            except TimeoutError:
                data = b""
            if not data:
                raise RuntimeError(f"{what}: no answer within {seconds} s. Its console:\n{self.console_text()[-6000:]}")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode().strip()

    def wait_until_booted(self):
        """The seconds that took."""
        begin = time.monotonic()
        while self.read_line(SECONDS_TO_BOOT, "the boot") != "hello":
            pass
        unpacked = self.run(f"modprobe virtio_blk; udevadm settle; mkdir -p {PAYLOAD} && tar -C {PAYLOAD} -xf /dev/vda && "
                            f"chmod -R a+rX {PAYLOAD}")
        if unpacked.status != 0:
            raise RuntimeError(str(unpacked))
        return time.monotonic() - begin

    def run(self, script, user="root", seconds=SECONDS_TO_RUN):
        """Runs a shell script in the guest, as `user` with his own environment, in his home. What it left
        in the background goes on."""
        whole = ("cd ~; export HOME=$PWD LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "
                 f"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n{script}")
        if user != "root":
            whole = f"exec setpriv --reuid {user} --regid {user} --init-groups --reset-env bash -c {shlex.quote(whole)}"
        begin = time.monotonic()
        self.line.sendall(base64.b64encode(whole.encode()) + b"\n")
        status, stdout, stderr = self.read_line(seconds, script).split(" ")
        decode = lambda text: "" if text == "-" else base64.b64decode(text).decode(errors="replace")
        answer = Answer(f"{user}# {script}", int(status), decode(stdout), decode(stderr), time.monotonic() - begin)
        self.log.append(answer)
        return answer

    def reboot(self):
        self.line.sendall(base64.b64encode(b"systemctl reboot") + b"\n")
        return self.wait_until_booted()

    def console_text(self):
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def close(self):
        self.qemu.kill()
        self.qemu.wait()
        self.line.close()
        shutil.rmtree(self.folder)
