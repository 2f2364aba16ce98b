"""What `cmake --install` puts where, what systemd, AppArmor and Nix make of it, and whether it works from another prefix."""

import hashlib
import json
import re

from support import *

PROGRAMS = {"bin/emuctl", "sbin/emud", "libexec/emud/emud-fetcher"}
DATA = {
    "lib/systemd/system/emud.service", "lib/systemd/system/emud.socket", "lib/systemd/system/emud-pins.service",
    "lib/sysusers.d/emud.conf", "lib/tmpfiles.d/emud.conf", "lib/systemd/catalog/emud.catalog",
    "share/man/man1/emuctl.1", "share/man/man5/emud.toml.5", "share/man/man7/io.emud.Manager.7", "share/man/man8/emud.8",
    "share/bash-completion/completions/emuctl", "share/zsh/site-functions/_emuctl",
    "share/fish/vendor_completions.d/emuctl.fish",
    "share/bash-completion/completions/emud", "share/zsh/site-functions/_emud", "share/fish/vendor_completions.d/emud.fish",
    "share/doc/emud/README.md", "share/doc/emud/emud.toml", "share/doc/emud/apparmor.d/emuctl",
}
VERSION = re.search(r"^project\(emud VERSION (\S+)", (SOURCE_DIR / "CMakeLists.txt").read_text(), re.MULTILINE)[1]


class Installed(TestCase):
    @classmethod
    def setUpClass(cls):
        cls.top = pathlib.Path(tempfile.mkdtemp(prefix="install-"))
        cls.top.chmod(0o755)
        cls.prefix = cls.top / "opt/emud"
        done = run(["cmake", "--install", BUILD_DIR, "--prefix", cls.prefix])
        if done.returncode == 0:
            done = run(["cmake", "--install", BUILD_DIR, "--prefix", "/usr"], env={"DESTDIR": str(cls.top / "dest")})
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)
        cls.dest = cls.top / "dest/usr"

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.top)

    def text(self, name, tree=None):
        return ((tree or self.prefix) / name).read_text(encoding="utf-8")


class Files(Installed):
    def test_every_file_has_its_place(self):
        for tree in self.dest, self.prefix:
            found = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
            self.assertLessEqual(PROGRAMS | DATA, found)
            for name in found - PROGRAMS - DATA:
                self.assertRegex(name, r"^(share/(doc/emud/examples|emud)/|lib/systemd/catalog/emud\.catalog$|libexec/emud/deep/)")
            for name in PROGRAMS:
                self.assertEqual((tree / name).stat().st_mode & 0o7777, 0o755, name)
            for name in DATA:
                self.assertEqual((tree / name).stat().st_mode & 0o7777, 0o644, name)

    def test_paths_are_those_of_the_prefix(self):
        self.assertIn("ExecStart=/usr/sbin/emud\n", self.text("lib/systemd/system/emud.service", self.dest))
        self.assertIn(f"ExecStart={self.prefix}/sbin/emud\n", self.text("lib/systemd/system/emud.service"))
        self.assertIn(f" {self.prefix}/bin/emuctl ", self.text("share/doc/emud/apparmor.d/emuctl"))
        for name in DATA - {"lib/systemd/catalog/emud.catalog"}:  # the journal's own fields stand in that
            self.assertNotRegex(self.text(name), r"@\w+@", name)

    def test_one_version(self):
        self.assertIn(VERSION, run([self.prefix / "bin/emuctl", "--version"]).stdout)
        self.assertIn(f'"emud {VERSION}"', self.text("share/man/man8/emud.8"))
        changelog = (SOURCE_DIR / "packaging/debian/changelog").read_text(encoding="utf-8")
        self.assertTrue(changelog.startswith(f"emud ({VERSION}) "), changelog[:40])
        self.assertRegex((SOURCE_DIR / "packaging/rpm/emud.spec").read_text(encoding="utf-8"), rf"(?m)^Version: +{VERSION}$")
        self.assertIn(f"\npkgver={VERSION}\n", (SOURCE_DIR / "packaging/arch/PKGBUILD").read_text(encoding="utf-8"))
        self.assertIn(f'version = "{VERSION}";', (SOURCE_DIR / "packaging/nix/package.nix").read_text(encoding="utf-8"))

    def test_the_interface_is_in_the_man_page(self):
        self.require(shutil.which("groff"), "there is no groff")
        page = self.prefix / "share/man/man7/io.emud.Manager.7"
        done = run(["groff", "-ww", "-man", "-Tutf8", "-P-c", "-P-bou", "-rLL=200n", page])
        self.assertEqual(done.stderr, "")
        shown = {line.strip() for line in done.stdout.splitlines()}
        for interface in "io.emud.Manager", "io.emud.Keeper":
            for line in (SOURCE_DIR / f"common/wire/{interface}.varlink").read_text(encoding="utf-8").splitlines():
                self.assertIn(line.strip(), shown)

    def test_it_works_from_there(self):
        """emud and emuctl of the prefix, which find emud-fetcher beside them: it opens a package."""
        emulator = machine_emulator("aarch64")
        package = self.temporary_directory() / "qemu-user_9.9_all.deb"
        root = package.parent / "root"
        (root / "DEBIAN").mkdir(parents=True)
        (root / "usr/bin").mkdir(parents=True)
        shutil.copy(emulator, root / "usr/bin/qemu-aarch64-static")
        (root / "DEBIAN/control").write_text(
            "Package: qemu-user-static\nVersion: 9.9\nArchitecture: all\nMaintainer: test <test@example.org>\nDescription: test\n")
        self.assert_status(run(["dpkg-deb", "--build", "-Zgzip", "-z1", root, package]), 0)
        package.parent.chmod(0o755)
        digest = hashlib.sha256(package.read_bytes()).hexdigest()
        emuctl = self.prefix / "bin/emuctl"
        done = run([emuctl, "emulator", "install", "--rootless", "--file", package, "--sha256", digest], ALICE)
        self.assert_status(done, 0)
        done = run([emuctl, "run", "--rootless", "--", guest("hello-arm64")], ALICE)
        self.assertEqual(done.stdout, "hello from aarch64\n", done.stderr)
        shutil.rmtree(f"{ALICE.home}/.local")


class Systemd(Installed):
    def setUp(self):
        super().setUp()
        self.require(shutil.which("systemd-analyze"), "there is no systemd-analyze")
        self.units = self.prefix / "lib/systemd/system"

    def test_verify(self):
        names = sorted(self.units.iterdir())
        done = run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *names])
        # Systemd before 254 does not know this one, says so, and goes on.
        unknown = [line for line in done.stderr.splitlines() if "Unknown key" in line and "'DelegateSubgroup'" in line]
        self.assertLessEqual(len(unknown), 1)
        self.assertEqual((done.returncode, done.stdout, done.stderr.splitlines()), (1 if unknown else 0, "", unknown))

    def test_verify_finds_faults(self):
        unit = self.temporary_directory() / "emud.service"
        unit.write_text(self.text("lib/systemd/system/emud.service").replace("KillMode=process", "KillMode=proces"))
        done = run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit])
        self.assertIn("proces", done.stdout + done.stderr)

    def test_every_directive_that_is_missing_has_a_reason(self):
        """systemd-analyze security lists what could be set: the unit sets it or says why not."""
        done = run(["systemd-analyze", "security", "--offline=yes", "--no-pager", "--json=short", self.units / "emud.service"])
        self.assertIn(done.returncode, (0, 1), done.stderr)
        text = self.text("lib/systemd/system/emud.service")
        missing = set()
        for row in json.loads(done.stdout):
            name = re.match(r"\w+", row["name"])[0]
            if row.get("exposure") and name not in text:
                missing.add(name)
        self.assertEqual(missing, set())

    def test_every_directive_is_there_once(self):
        lists = {"After", "CapabilityBoundingSet"}  # what another line adds to
        for unit in sorted(self.units.iterdir()):
            names = re.findall(r"^(\w+)=", unit.read_text(encoding="utf-8"), re.MULTILINE)
            self.assertEqual({name for name in names if names.count(name) > 1} - lists, set(), unit.name)

    def test_the_figure_of_the_readme_is_the_measured_one(self):
        done = run(["systemd-analyze", "security", "--offline=yes", "--no-pager", self.units / "emud.service"])
        measured = float(re.search(r"Overall exposure level for emud.service: ([\d.]+)", done.stdout)[1])
        said = float(re.search(r"`systemd-analyze security --offline=yes` gives ([\d.]+)", self.text("share/doc/emud/README.md"))[1])
        self.assertAlmostEqual(measured, said, delta=0.3)  # each systemd counts a little differently

    def test_accounts(self):
        root = self.temporary_directory()
        (root / "etc").mkdir()
        shutil.copytree(self.dest / "lib", root / "usr/lib")
        self.assert_status(run(["systemd-sysusers", f"--root={root}", "emud.conf"]), 0)
        groups = {line.split(":")[0]: line.split(":")[2:] for line in (root / "etc/group").read_text().splitlines()}
        user = (root / "etc/passwd").read_text().splitlines()[-1].split(":")
        self.assertEqual(user[0], "emud")
        self.assertEqual(groups["emud-fetcher"][0], user[3])
        self.assertEqual(groups["emud"][1], "", "nobody is in the group emud")
        self.assertNotEqual(groups["emud"][0], user[3])
        self.assertEqual(user[6], "/usr/sbin/nologin")
        self.assert_status(run(["systemd-tmpfiles", f"--root={root}", "--create", "emud.conf"]), 0)
        for name in "run/emud", "var/lib/emud":
            self.assertEqual((root / name).stat().st_mode & 0o7777, 0o755)


class Others(Installed):
    def test_apparmor_profile(self):
        self.require(shutil.which("apparmor_parser"), "there is no apparmor_parser")
        text = self.text("share/doc/emud/apparmor.d/emuctl")
        if not os.path.exists("/etc/apparmor.d/abi/4.0"):  # what is older than 4.0 does not know the one right this is about
            self.assertIn("\n  userns,\n", text)
            text = text.replace("abi/4.0", "abi/3.0").replace("\n  userns,\n", "\n")
        file = self.temporary_directory() / "emuctl"
        file.write_text(text)
        words = ["apparmor_parser", "--skip-kernel-load", "--skip-cache", "--features-file", "/etc/apparmor.d/abi/3.0"]
        self.require(os.path.exists(words[-1]), "this AppArmor has no abi/3.0")
        self.assert_status(run([*words, file]), 0)
        file.write_text(text.replace("flags=(unconfined)", "flags=(unconfind)"))
        self.assertNotEqual(run([*words, file]).returncode, 0)

    def test_nix(self):
        source = SOURCE_DIR / "packaging/nix"
        for file in sorted(source.glob("*.nix")):
            self.assert_status(run(["nix-instantiate", "--parse", file], stdout=subprocess.DEVNULL), 0)
        done = run(["nix-instantiate", "--eval", "--strict", "--json", SOURCE_DIR / "tests/support/evaluate.nix",
                    "--arg", "source", source], env={"NIX_REMOTE": "dummy://"})
        self.assert_status(done, 0)
        value = json.loads(done.stdout)
        self.assertEqual(value["off"], {})
        self.assertEqual(value["settings"], 'max-leases = 4\nmirror = ["https://mirror.example.org/debian"]\n'
                                            'no-fetch = true\nprivate = "group"\n')
        file = self.temporary_directory() / "emud.toml"
        file.write_text(value["settings"], encoding="utf-8")
        words = ["--state-dir", file.parent, "--runtime-dir", file.parent, "--reconcile"]
        self.assert_status(run([BIN_DIR / "emud", "--config", file, *words]), 0)
        self.assertEqual(value["refused"], [True] * 7)
        self.assertEqual((value["members"], value["helperGroup"]), (["alice"], "emud-fetcher"))
        self.assertEqual(value["package"], {"pname": "emud", "version": VERSION, "overlay": VERSION})
        self.assertTrue(value["isModule"])
        for name in value["units"]:
            self.assertTrue(name == "emud-emulators" or (self.prefix / f"lib/systemd/system/{name}.service").exists(), name)
        self.assert_status(run(["bash", "-n"], input=value["install"]), 0)

    def test_examples(self):
        examples = self.prefix / "share/doc/emud/examples"
        table = (examples / "README.md").read_text(encoding="utf-8")
        for file in sorted(examples.iterdir()):
            self.assertTrue(file.name == "README.md" or f"`{file.name}`" in table, file.name)
            if file.read_bytes().startswith(b"#!/bin/sh"):
                self.assert_status(run(["sh", "-n", file]), 0)
                self.assertTrue(os.access(file, os.X_OK), file.name)


if __name__ == "__main__":
    main()
