"""A catalog of two versions of QEMU, the machine's own and another, with a mirror on 127.0.0.1 that has their packages."""

import http.server
import json
import threading

import other_emulator
from mirrors import sha256
from support import *

ARCHITECTURES = other_emulator.ARCHITECTURES
SCRATCH = pathlib.Path("/run/catalog-test")
SCRIPT = SOURCE_DIR / "packaging/make-catalog-entry"


class Mirror:
    """An HTTP server for the files of a directory, which counts what it is asked for."""

    def __init__(self, directory):
        self.requests = []
        mirror = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments, **options):
                super().__init__(*arguments, directory=str(directory), **options)

            def do_GET(self):
                mirror.requests.append(self.path)
                super().do_GET()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def build_package(name, version, binaries):
    """A Debian package with these emulators (name in usr/bin: content), as small as can be."""
    root = SCRATCH / f"{name}-{version}"
    (root / "usr/bin").mkdir(parents=True)
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 1:{version}\nArchitecture: amd64\nMaintainer: Nobody <nobody@localhost>\n"
        "Description: emulators for a test\n", encoding="utf-8")
    for binary, content in binaries.items():
        (root / "usr/bin" / binary).write_bytes(content)
        (root / "usr/bin" / binary).chmod(0o755)
    file = SCRATCH / "mirror/pool/main/q" / name / f"{name}_{version}_amd64.deb"
    file.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["dpkg-deb", "--build", "-Zgzip", "-z1", "--root-owner-group", root, file], check=True, capture_output=True)
    return file


def machine_binaries():
    return {f"qemu-{name}-static": pathlib.Path(machine_emulator(name)).read_bytes() for name in ARCHITECTURES}


def other_binaries():
    """Those of the other release's package."""
    return {path.name: path.read_bytes() for path in other_emulator.binaries()}


class CatalogCase(TestCase):
    @classmethod
    def setUpClass(cls):
        if other_emulator.package() is None:
            raise unittest.SkipTest(f"there is no other QEMU here: {other_emulator.reason()}")
        SCRATCH.mkdir()
        cls.addClassCleanup(shutil.rmtree, SCRATCH)
        packages = [build_package("qemu-one", "1", machine_binaries()), build_package("qemu-two", "2", other_binaries())]
        cls.catalog = SCRATCH / "catalog.json"
        made = subprocess.run([SCRIPT, "--snapshot", "20250101T000000Z", *packages], check=True, capture_output=True, text=True)
        cls.catalog.write_text(made.stdout, encoding="utf-8")
        entries = json.loads(made.stdout)["packages"]
        cls.versions = {entry["package"]: entry["version"] for entry in entries}
        cls.digests = {(entry["package"], member["architecture"]): member["sha256"]
                       for entry in entries for member in entry["members"]}
        cls.one, cls.two = cls.versions["qemu-one"], cls.versions["qemu-two"]

    def setUp(self):
        self.mirror = Mirror(SCRATCH / "mirror")
        self.addCleanup(self.mirror.close)
        super().setUp()

    def start_emud(self, *options):
        return super().start_emud("--catalog", self.catalog, "--mirror", self.mirror.url, *options)

    def install(self, *words, user=CAROL, **options):
        return self.emuctl("emulator", "install", *words, user=user, **options)

    def listed(self, emud=None):
        done = self.emuctl("emulator", "list", "--json", emud=emud)
        self.assert_status(done, 0)
        return json.loads(done.stdout)["emulators"]

    def installed(self, emud=None):
        return sorted((one["architecture"], one["version"]) for one in self.listed(emud) if one["installed"])

    def store(self, emud):
        directory = emud.state / "store"
        return sorted(entry.name for entry in directory.iterdir()) if directory.exists() else []

    def assert_whole(self, emud):
        """Every entry of the store is good, and nothing else is in it."""
        self.assertEqual([name for name in self.store(emud) if len(name) != 64], [])
        done = self.emuctl("emulator", "verify", "--json", user=CAROL, emud=emud)
        self.assert_status(done, 0)
        self.assertEqual(len(json.loads(done.stdout)["emulators"]), len(self.store(emud)))

    def interpreter(self, version, *words, user=ALICE):
        """The emulator's digest in the handler of a run with that version."""
        done = self.emuctl("run", *words, "-a", "aarch64", "--emulator", version, "--", "sh", "-c",
                           f"{guest('hello-arm64')} && cat {BINFMT_MISC}/emud-aarch64", user=user)
        self.assert_status(done, 0)
        self.assertTrue(done.stdout.startswith("hello from aarch64\n"), done.stdout)
        line = next(line for line in done.stdout.splitlines() if line.startswith("interpreter "))
        path = pathlib.Path(line.split()[1])
        entry = path.parent.parent if path.parent.name == "run" else path.parent
        manifest = json.loads((entry / "manifest.json").read_text())
        self.assertEqual(sha256(path.read_bytes()), manifest["interpreter"] or manifest["digest"])
        self.assertEqual(sha256((entry / "qemu-aarch64").read_bytes()), manifest["digest"])
        return entry.name
