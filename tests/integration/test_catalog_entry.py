"""packaging/make-catalog-entry: what it makes of made-up and real packages, and what it says of wrong ones."""

import json
import struct

import other_emulator
from catalog_case import SCRIPT
from mirrors import *


def emulator(architecture, version, types=(1,), banner=None):
    """As much of a QEMU emulator as the script looks at: an ELF header, program headers of these types, the banner."""
    head = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, len(types), 0, 0, 0)
    headers = b"".join(struct.pack("<I", kind) + bytes(52) for kind in types)
    return head + headers + (banner or f"qemu-{architecture} version {version} (made up)").encode()


class CatalogEntry(TestCase):
    def setUp(self):
        super().setUp()
        self.directory = self.temporary_directory()

    def package(self, binaries, name="qemu-user", version="1:9.9.1+dfsg-1", architecture="amd64", source=""):
        root = self.directory / f"{name}-root"
        shutil.rmtree(root, ignore_errors=True)
        (root / "usr/bin").mkdir(parents=True)
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: Nobody <nobody@localhost>\n"
            f"{source}Description: made up\n", encoding="utf-8")
        for binary, content in binaries.items():
            (root / "usr/bin" / binary).write_bytes(content)
            os.utime(root / "usr/bin" / binary, (86400 * 365, 86400 * 365))
        file = self.directory / f"{name}_{version.partition(':')[2]}_{architecture}.deb"
        run(["dpkg-deb", "--build", "-Znone", "--root-owner-group", root, file]).check_returncode()
        return file

    def script(self, *words):
        return run([SCRIPT, *words])

    def made(self, *words):
        done = self.script(*words)
        self.assert_status(done, 0)
        return json.loads(done.stdout)["packages"]

    def refused(self, *words):
        done = self.script(*words)
        self.assert_status(done, 1)
        self.assertEqual(done.stdout, "")
        last = done.stderr.splitlines()[-1]  # dpkg-deb may have said something before
        self.assertTrue(last.startswith("make-catalog-entry: "), done.stderr)
        return last

    def test_a_made_up_package(self):
        arm, riscv = emulator("arm", "9.9.1"), emulator("riscv64", "9.9.1")
        package = self.package({
            "qemu-arm": emulator("arm", "9.9.1") + b"other", "qemu-arm-static": arm, "qemu-riscv64": riscv,
            "qemu-ppc": emulator("ppc", "9.9.1", types=(1, 3)), "qemu-m68k": emulator("sparc", "9.9.1"), "qemu-img": b"#!/bin/sh\n",
        }, source="Source: qemu (1:9.9.1)\n")
        entry, = self.made("--snapshot", "20260102T000000Z", package)
        self.assertEqual(entry, {
            "host": "x86_64", "version": "9.9.1", "package": "qemu-user", "package_version": "1:9.9.1+dfsg-1",
            "file": "qemu-user_9.9.1+dfsg-1_amd64.deb", "pool_path": "pool/main/q/qemu/qemu-user_9.9.1+dfsg-1_amd64.deb",
            "snapshot": "20260102T000000Z", "size": package.stat().st_size, "sha256": sha256(package.read_bytes()),
            "members": [
                {"architecture": "arm", "path": "usr/bin/qemu-arm-static", "sha256": sha256(arm)},
                {"architecture": "riscv64", "path": "usr/bin/qemu-riscv64", "sha256": sha256(riscv)},
            ]})
        self.assertEqual(self.made("--pool", "pool/x", package)[0]["pool_path"], "pool/x/qemu-user_9.9.1+dfsg-1_amd64.deb")

    def test_into_a_catalog_in_one_step(self):
        catalog = self.directory / "catalog.json"
        catalog.write_text('{"version": 1, "packages": [], "notes": [{"text": "kept"}]}', encoding="utf-8")
        catalog.chmod(0o640)
        before = catalog.stat().st_ino
        new = self.package({"qemu-arm-static": emulator("arm", "9.9.1")})
        for _ in range(2):  # the second time it is replaced
            self.assert_status(self.script("--into", catalog, new), 0)
        written = json.loads(catalog.read_text(encoding="utf-8"))
        self.assertEqual([entry["version"] for entry in written["packages"]], ["9.9.1"])
        self.assertEqual(written["notes"], [{"text": "kept"}])
        self.assertNotEqual(catalog.stat().st_ino, before, "it was written in place")
        self.assertEqual(catalog.stat().st_mode & 0o7777, 0o640)
        old = self.package({"qemu-arm-static": emulator("arm", "9.8")}, name="qemu-user-static", version="1:9.8-1")
        whole = catalog.read_bytes()
        with open(catalog, "rb") as reader:
            self.assert_status(self.script("--into", catalog, old), 0)
            self.assertEqual(reader.read(), whole, "who had it open reads the old one, whole")
        self.assertEqual([entry["version"] for entry in json.loads(catalog.read_text(encoding="utf-8"))["packages"]], ["9.8", "9.9.1"])
        self.assertEqual([path.name for path in self.directory.iterdir() if path.name.startswith(".")], [])

    def test_wrong_packages_are_named(self):
        static = emulator("arm", "9.9.1")
        text = self.directory / "text.deb"
        text.write_text("no package\n", encoding="utf-8")
        good = self.package({"qemu-arm-static": static}, name="good")
        broken = self.directory / "broken.deb"
        broken.write_bytes(good.read_bytes()[:-2000])
        twice = self.package({"qemu-arm-static": static}, name="twice")
        for package, reason in (
            (text, "not a Debian format archive"), (broken, "cannot read it"), (self.directory / "missing.deb", "No such file"),
            (self.package({"qemu-arm-static": static}, name="other", architecture="i386"), "it is for i386"),
            (self.package({"qemu-arm": emulator("arm", "9.9.1", types=(3,))}, name="dynamic"), "no static emulator"),
            (self.package({"qemu-arm": static, "qemu-ppc": emulator("ppc", "9.9.2")}, name="mixed"), "several versions: 9.9.1, 9.9.2"),
        ):
            with self.subTest(package=package.name):
                said = self.refused(good, package)
                self.assertIn(package.name, said)
                self.assertIn(reason, said)
        self.assertIn("twice", self.refused(good, twice))

    def test_a_wrong_catalog_is_named_and_stays(self):
        good = self.package({"qemu-arm-static": emulator("arm", "9.9.1")})
        catalog = self.directory / "catalog.json"
        for text in ("", "{", "[]", '{"packages": [{}]}', '{"packages": [{"host": "x86_64", "version": "new", "members": []}]}'):
            with self.subTest(text=text):
                catalog.write_text(text, encoding="utf-8")
                self.assertIn(str(catalog), self.refused("--into", catalog, good))
                self.assertEqual(catalog.read_text(encoding="utf-8"), text)
        self.assertIn("missing.json", self.refused("--into", self.directory / "missing.json", good))

    def test_a_real_package(self):
        """What the script makes of a package that the catalog has is what the catalog says."""
        package = other_emulator.package()
        self.require(package is not None, other_emulator.reason())
        made, = self.made(package)
        known = json.loads((SOURCE_DIR / "packaging/catalog.json").read_text(encoding="utf-8"))["packages"]
        same = [entry for entry in known if entry["sha256"] == made["sha256"]]
        self.require(same, f"the catalog does not have {package.name}")
        self.assertEqual(same, [made])


if __name__ == "__main__":
    if "EMUD_HERMETIC" not in os.environ:
        other_emulator.fetch()
    main()
