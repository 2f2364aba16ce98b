"""Emulators fetched from mirrors that lie, break, stall and vanish: what is bad is refused with its reason and leaves nothing
in the store, what is good is installed."""

import random
import re

from essentials import *
from mirror_case import *


class Liars(MirrorCase):
    def test_what_is_bad_is_refused_and_what_is_good_installed(self):
        emud = self.start_emud("--download-patience", "2")
        mirror = self.mirror()
        size = len(self.package)
        cases = {f"/flipped/{place}": ("SHA-256",) for place in (0, 70, size // 2, size - 1)}
        cases |= {
            "/truncated/x.deb": ("SHA-256",),
            "/short/x.deb": ("the connection broke after", "in 5 attempts"),
            "/longer/x.deb": ("SHA-256",),
            "/empty/x.deb": ("SHA-256",),
            "/huge/x.deb": ("it announces", "allowed"),
            "/headers/x.deb": ("headers",),
            "/loop/x.deb": ("redirects more than",),
            "/to/file:///etc/passwd": ("file:///etc/passwd", "only http and https"),
            "/to/ftp://127.0.0.1/x": ("ftp://127.0.0.1/x", "only http and https"),
            "/to/gopher://127.0.0.1/x": ("gopher://127.0.0.1/x", "only http and https"),
            "/to/dict://127.0.0.1/x": ("only http and https",),
            "/to/scp://127.0.0.1/x": ("only http and https",),
            "/missing/x.deb": ("404",),
            "/error/x.deb": ("503",),
            "/garbage/x.deb": (": ",),
            "/hang-up/x.deb": ("in 5 attempts",),
            "/drip/x.deb": ("too slow",),
            "/silent/x.deb": ("too slow",),
            "/steady-drip/x.deb": ("too slow",),
        }
        for path, reasons in cases.items():
            with self.subTest(path=path):
                self.assert_refused(self.install(mirror.url(path)), emud, mirror.url(path), *reasons)
        with self.subTest("nobody listens"):
            url = f"http://127.0.0.1:{closed_port()}/x.deb"
            self.assert_refused(self.install(url), emud, url, "Connection refused")
        for url in ("file:///etc/passwd", "ftp://127.0.0.1/x.deb"):
            with self.subTest(url=url):
                done = self.install(url)
                self.assert_status(done, 2)
                self.assertIn(f"{url}: only http and https", done.stderr)
                self.assert_nothing_left(emud)
        self.assert_installed(self.install(mirror.url("/good/x.deb")), emud)

    def test_a_byte_flipped_at_200_random_places(self):
        """Each on a mirror of its own: the last mirror has the right file, and only that is installed."""
        mirror = self.mirror()
        places = random.Random(3).sample(range(len(self.package)), 200)
        names = [f"/flipped-at/{place}" for place in places] + ["/good"]
        mirrors = [word for name in names for word in ("--mirror", mirror.url(name))]
        emud = self.start_emud("--catalog", self.catalog(), *mirrors)
        self.assert_installed(self.emuctl("emulator", "install", "aarch64", user=CAROL), emud)
        self.assertEqual([path for path, _ in mirror.requests], [f"{name}/pool/q.deb" for name in names])
        self.assertEqual(self.source(), mirror.url("/good/pool/q.deb"))

    def test_mirrors_are_tried_in_order_until_one_serves(self):
        mirror = self.mirror()
        names = ["/missing", "/truncated", "/longer", "/endless", "/to/file:///etc/passwd?", "/loop", "/good", "/never"]
        mirrors = [word for name in names for word in ("--mirror", mirror.url(name))]
        emud = self.start_emud("--catalog", self.catalog(), "--mirror", f"http://127.0.0.1:{closed_port()}", *mirrors)
        self.assert_installed(self.emuctl("emulator", "install", "aarch64", user=CAROL), emud)
        asked = [path for path, _ in mirror.requests]
        self.assertEqual(sorted(set(asked), key=asked.index), [f"{name}/pool/q.deb" for name in names[:-1]])
        self.assertEqual(self.source(), mirror.url("/good/pool/q.deb"))
        before = len(mirror.requests)
        self.assert_status(self.emuctl("emulator", "install", "aarch64", user=CAROL), 0)
        self.assertEqual(len(mirror.requests), before, "what is installed is fetched again")

    def test_every_mirror_is_named_with_its_reason(self):
        mirror = self.mirror()
        reasons = {"/missing": "404", "/flipped-at/100": "SHA-256", "/longer": "bytes instead of", "/truncated": "bytes instead of",
                   "/endless": "longer than", "/loop": "redirects more than"}
        mirrors = [word for name in reasons for word in ("--mirror", mirror.url(name))]
        emud = self.start_emud("--catalog", self.catalog(), *mirrors)
        done = self.emuctl("emulator", "install", "aarch64", user=CAROL)
        self.assert_refused(done, emud)
        said = {part.partition(": ")[0]: part for part in re.split(r"(?=http://127)", done.stderr)}
        for name, reason in reasons.items():
            self.assertIn(reason, said[mirror.url(f"{name}/pool/q.deb")])

    def test_a_connection_cut_in_the_middle_is_taken_up_again(self):
        emud = self.start_emud()
        mirror = self.mirror()
        self.assert_installed(self.install(mirror.url("/cut/x.deb")), emud)
        self.assertEqual([asked for _, asked in mirror.requests], [None, f"bytes={len(self.package) // 2}-"])

    def test_an_endless_file_ends_at_its_bound(self):
        emud = self.start_emud()
        mirror = self.mirror()
        self.assert_refused(self.install(mirror.url("/endless/x.deb")), emud, "longer than")

    def test_rootless(self):
        mirror = self.mirror()
        home = self.temporary_directory(ALICE)
        env = {"XDG_DATA_HOME": str(home)}
        for path, reason in (("/flipped/100", "SHA-256"), ("/missing/x", "404")):
            done = self.install(mirror.url(path), "--rootless", user=ALICE, env=env)
            self.assert_status(done, 1)
            self.assertIn(reason, done.stderr)
            self.assertEqual(list((home / "emud/store").glob("*")), [])
        self.assert_status(self.install(mirror.url("/good/x.deb"), "--rootless", user=ALICE, env=env), 0)
        self.assertEqual([entry.name for entry in (home / "emud/store").iterdir()], [sha256(self.binary)])


class Proxies(MirrorCase):
    """A mirror whose name nobody can resolve: only a proxy can ask it."""

    ADDRESS = "http://mirror.invalid/good/x.deb"

    def proxied(self, env=None, options=()):
        proxy = self.mirror()
        url = proxy.url()
        emud = self.start_emud(*[option.format(url) for option in options], env={name: value.format(url) for name, value in (env or {}).items()})
        return proxy, emud

    def assert_asked(self, proxy, emud):
        self.assert_installed(self.install(self.ADDRESS), emud)
        self.assertEqual([path for path, _ in proxy.requests], [self.ADDRESS])

    def assert_not_asked(self, proxy, emud):
        self.assert_refused(self.install(self.ADDRESS), emud, "resolve")
        self.assertEqual(proxy.requests, [])

    def test_of_the_environment(self):
        self.assert_asked(*self.proxied({"http_proxy": "{}"}))

    def test_of_the_environment_for_everything(self):
        self.assert_asked(*self.proxied({"ALL_PROXY": "{}"}))

    def test_exceptions_of_the_environment(self):
        self.assert_not_asked(*self.proxied({"http_proxy": "{}", "no_proxy": "localhost,.invalid"}))

    def test_of_the_configuration(self):
        file = self.temporary_directory() / "emud.toml"
        proxy = self.mirror()
        file.write_text(f'proxy = "{proxy.url()}"\n', encoding="utf-8")
        self.assert_asked(proxy, self.start_emud("--config", file, env={"http_proxy": f"http://127.0.0.1:{closed_port()}"}))

    def test_exceptions_of_the_configuration(self):
        file = self.temporary_directory() / "emud.toml"
        proxy = self.mirror()
        file.write_text(f'proxy = "{proxy.url()}"\nno-proxy = "other.example,mirror.invalid"\n', encoding="utf-8")
        self.assert_not_asked(proxy, self.start_emud("--config", file, env={"no_proxy": "other.example"}))

    def test_that_does_not_answer(self):
        _, emud = self.proxied({"http_proxy": f"http://127.0.0.1:{closed_port()}"})
        self.assert_refused(self.install(self.ADDRESS), emud, self.ADDRESS, "Connection refused", "http_proxy")


class FullDisk(MirrorCase):
    def test_a_full_disk_is_told_and_leaves_nothing(self):
        emud = Emud()
        self.emuds.append(emud)
        self.addCleanup(self.end_emud, emud)
        emud.state.mkdir()
        size = len(self.package) // 2
        self.assertEqual(libc.mount(b"tmpfs", str(emud.state).encode(), b"tmpfs", 0, f"size={size},mode=755".encode()), 0)
        self.addCleanup(lambda: libc.umount2(str(emud.state).encode(), 2))
        emud.start()
        mirror = self.mirror()
        free = os.statvfs(emud.state).f_bfree
        done = self.install(mirror.url("/good/x.deb"))
        self.assert_refused(done, emud, "No space left on device", "Free some space")
        self.assertGreaterEqual(os.statvfs(emud.state).f_bfree, free - 4, "blocks are not free again")


class Tls(MirrorCase):
    def certificate(self, directory):
        path = directory / "certificate.pem"
        done = run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", directory / "key.pem", "-out", path])
        self.assert_status(done, 0)
        both = directory / "both.pem"
        both.write_bytes((directory / "key.pem").read_bytes() + path.read_bytes())
        return path, both

    def test_a_certificate_that_nobody_vouches_for_is_refused(self):
        directory = self.temporary_directory()
        directory.chmod(0o755)
        certificate, both = self.certificate(directory)
        mirror = self.mirror(both)
        home = self.temporary_directory(ALICE)
        env = {"XDG_DATA_HOME": str(home)}
        done = self.install(mirror.url("/good/x.deb"), "--rootless", user=ALICE, env=env)
        self.assert_status(done, 1)
        self.assertIn("TLS", done.stderr)
        certificate.chmod(0o644)
        done = self.install(mirror.url("/good/x.deb"), "--rootless", user=ALICE,
                            env=env | {"SSL_CERT_FILE": str(certificate)})
        self.assert_status(done, 0)


if __name__ == "__main__":
    main()
