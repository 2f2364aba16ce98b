"""A mirror on 127.0.0.1 that behaves as a test wants, and Debian packages made for it."""

import hashlib
import http.server
import io
import re
import socket
import ssl
import tarfile
import threading
import time

from support import *

DRIP_SECONDS = 0.2


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def ar_member(name, data):
    head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
    return head + data + b"\n" * (len(data) % 2)


def debian_package_of(data, name):
    """A package with this data archive."""
    return (b"!<arch>\n" + ar_member("debian-binary", b"2.0\n") + ar_member("control.tar", b"\0" * 1024)
            + ar_member(name, data))


def debian_package(files):
    """A package whose data archive has these files: path -> bytes."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz", compresslevel=1) as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(f"./{path}")
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    return debian_package_of(data.getvalue(), "data.tar.gz")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.mirror.requests.append((self.path, self.headers.get("Range")))
        # A client that takes this for its proxy sends the whole address (RFC 9112, 3.2.2).
        behaviour = re.sub(r"^\w+://[^/]*", "", self.path).removeprefix("/").partition("/")[0]
        self.close_connection = True
        try:
            getattr(self, f"answer_{behaviour.replace('-', '_')}", self.answer_missing)()
        except (BrokenPipeError, ConnectionResetError):
            pass

    @property
    def content(self):
        return self.server.mirror.content

    def head(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def send(self, data):
        self.head(200, Content_Length=len(data))
        self.wfile.write(data)

    def answer_good(self):
        self.send(self.content)

    def answer_missing(self):
        self.head(404, Content_Length=0)

    def send_flipped(self, place):
        data = bytearray(self.content)
        data[place % len(data)] ^= 0x10
        self.send(bytes(data))

    def answer_flipped(self):
        self.send_flipped(int(self.path.rpartition("/")[2]))

    def answer_flipped_at(self):
        """For a mirror's address, which has the package's path behind it."""
        self.send_flipped(int(self.path.split("/")[2]))

    def answer_truncated(self):
        self.send(self.content[:len(self.content) // 2])

    def answer_short(self):
        """Announces all of it, and hangs up after half of what is asked for."""
        begin = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        length = len(self.content) - begin
        self.head(206 if begin else 200, Content_Length=length,
                  Content_Range=f"bytes {begin}-{len(self.content) - 1}/{len(self.content)}")
        self.wfile.write(self.content[begin:begin + length // 2])

    def answer_longer(self):
        self.send(self.content + b"\0")

    def answer_empty(self):
        self.send(b"")

    def answer_huge(self):
        self.head(200, Content_Length=1 << 40)
        self.wfile.write(self.content)

    def answer_headers(self):
        self.send_response(200)
        while True:
            self.wfile.write(b"X-Header: " + b"x" * 60000 + b"\r\n")

    def answer_error(self):
        self.head(503, Content_Length=0, Retry_After=3600)

    def answer_garbage(self):
        self.wfile.write(b"\0\xff" * 50)

    def answer_hang_up(self):
        pass

    def answer_silent(self):
        self.server.mirror.released.wait()

    def drip(self, size, seconds):
        self.head(200, Content_Length=len(self.content))
        begin = 0
        while not self.server.mirror.released.wait(seconds):
            self.wfile.write(self.content[begin:begin + size])
            begin += size

    def answer_drip(self):
        self.drip(10, DRIP_SECONDS)

    def answer_steady_drip(self):
        """7 KiB a second: never as little as a stalled connection."""
        self.drip(700, 0.1)

    def answer_endless(self):
        self.head(200)
        while True:
            self.wfile.write(self.content)

    def answer_loop(self):
        self.head(302, Location=self.path, Content_Length=0)

    def answer_to(self):
        self.head(302, Location=self.path.removeprefix("/to/"), Content_Length=0)

    def answer_cut(self):
        """Half of it at the first request, then what the Range asks for."""
        asked = self.headers.get("Range")
        if asked is None:
            self.head(200, Content_Length=len(self.content))
            self.wfile.write(self.content[:len(self.content) // 2])
            return
        begin = int(asked.removeprefix("bytes=").rstrip("-"))
        self.head(206, Content_Length=len(self.content) - begin,
                  Content_Range=f"bytes {begin}-{len(self.content) - 1}/{len(self.content)}")
        self.wfile.write(self.content[begin:])

    def answer_held(self):
        """Half of it, and then a little now and then, until the client goes or the test lets go."""
        self.head(200, Content_Length=len(self.content))
        half = len(self.content) // 2
        self.wfile.write(self.content[:half])
        self.wfile.flush()
        self.server.mirror.held.set()
        while not self.server.mirror.released.wait(DRIP_SECONDS):
            self.wfile.write(self.content[half:half + 8192])
            half += 8192

    def log_message(self, *_):
        pass


class Mirror:
    """Serves `content`; the first part of the path says how: /good/x.deb, /cut/x.deb, ..."""

    def __init__(self, content, certificate=None):
        self.content = content
        self.requests = []  # of each the path and the Range
        self.held, self.released = threading.Event(), threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.mirror = self
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.scheme = "http" if certificate is None else "https"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path=""):
        return f"{self.scheme}://127.0.0.1:{self.server.server_address[1]}{path}"

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


def closed_port():
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processes_named(name):
    """The pids of processes whose command name is that."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and pathlib.Path("/proc", entry, "comm").read_text().strip() == name[:15]:
                found.append(int(entry))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def wait_until(condition, seconds=SECONDS_TO_END):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
