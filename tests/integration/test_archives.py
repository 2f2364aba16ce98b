"""Packages that are what their digest says and hostile all the same: refused, with the member that is to blame, and nothing of
them in the store."""

import tarfile

from essentials import *
from mirror_case import *

BOMB = 300 << 20


def member(path, content=b"", kind=tarfile.REGTYPE, target=""):
    info = tarfile.TarInfo(path)
    info.type, info.linkname, info.mode = kind, target, 0o755
    info.size = len(content)
    return info, content


class Zeros:
    """A file of that many zeros."""

    def __init__(self, size):
        self.left = size

    def read(self, count=-1):
        count = self.left if count < 0 else min(count, self.left)
        self.left -= count
        return bytes(count)


def hostile_package(*members):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz", compresslevel=1, format=tarfile.PAX_FORMAT) as archive:
        for info, content in members:
            archive.addfile(info, Zeros(info.size) if content is None else io.BytesIO(content))
    return debian_package_of(data.getvalue(), "data.tar.gz")


class Archives(MirrorCase):
    emulator = member(f"./{MEMBER}", b"\x7fELF")

    def setUp(self):
        super().setUp()
        self.emud = self.start_emud()
        self.bad_mirror = self.mirror()

    def assert_package_refused(self, members, *words):
        package = hostile_package(*members)
        self.bad_mirror.content = package
        url = self.bad_mirror.url("/good/x.deb")
        done = self.emuctl("emulator", "install", "--url", url, "--sha256", sha256(package), user=ROOT)
        self.assert_refused(done, self.emud, *words)

    def test_members_with_a_hostile_path(self):
        for path, words in (
            ("../etc/passwd", ("../etc/passwd", "'..'")),
            ("./usr/bin/../../../etc/passwd", ("usr/bin/../../../etc/passwd", "'..'")),
            (f"usr/share/../../{MEMBER}", (f"usr/share/../../{MEMBER}", "'..'")),
            ("..", ("'..'",)),
            ("/etc/passwd", ("/etc/passwd", "absolute")),
            (f"/{MEMBER}", (f"/{MEMBER}", "absolute")),
            ("x" * 5000, ("xxx", "too long")),
        ):
            for members in ([member(path, b"x")], [self.emulator, member(path, b"x")], [member(path, b"y"), self.emulator]):
                with self.subTest(path=path[:40], count=len(members)):
                    self.assert_package_refused(members, *words)

    def test_members_that_are_no_files(self):
        for kind, target, reason in (
            (tarfile.SYMTYPE, "/etc/passwd", "symbolic link"), (tarfile.SYMTYPE, "qemu-arm", "symbolic link"),
            (tarfile.LNKTYPE, "/etc/passwd", "hard link"), (tarfile.LNKTYPE, "usr/bin/qemu-arm", "hard link"),
            (tarfile.DIRTYPE, "", "not a regular file"), (tarfile.CHRTYPE, "", "neither a file"),
            (tarfile.BLKTYPE, "", "neither a file"), (tarfile.FIFOTYPE, "", "neither a file"),
        ):
            with self.subTest(kind=kind, target=target):
                self.assert_package_refused([member(f"./{MEMBER}", kind=kind, target=target)], MEMBER, reason)

    def test_members_beside_the_emulator_that_no_package_has(self):
        for kind, reason in ((tarfile.LNKTYPE, "hard link"), (tarfile.CHRTYPE, "neither a file"), (tarfile.BLKTYPE, "neither a file"),
                             (tarfile.FIFOTYPE, "neither a file")):
            other = member("./usr/share/other", kind=kind, target=f"./{MEMBER}")
            for members in ([self.emulator, other], [other, self.emulator]):
                with self.subTest(kind=kind, first=members[0] is other):
                    self.assert_package_refused(members, "usr/share/other", reason)

    def test_a_member_below_a_link(self):
        for target in ("/etc", "../..", "elsewhere"):
            link = member("./usr/bin", kind=tarfile.SYMTYPE, target=target)
            with self.subTest(target=target):
                self.assert_package_refused([link, self.emulator], MEMBER, "below 'usr/bin'")
                self.assert_package_refused([self.emulator, link], "usr/bin: ", MEMBER, "not a directory")

    def test_a_member_twice(self):
        directory = member("./usr", kind=tarfile.DIRTYPE)
        other = member("./usr/share/doc/copyright", b"x")
        link = member("./usr/bin/qemu-arm64", kind=tarfile.SYMTYPE, target="qemu-aarch64-static")
        again = member(f"usr//bin/.//{MEMBER.rpartition('/')[2]}", b"another")
        for name, members in (
            (MEMBER, [self.emulator, self.emulator]), (MEMBER, [self.emulator, again]),
            (MEMBER, [member(f"./{MEMBER}", b"another"), self.emulator]),
            (MEMBER, [self.emulator, member(f"./{MEMBER}", kind=tarfile.DIRTYPE)]),
            ("usr/share/doc/copyright", [other, self.emulator, other]), ("usr/bin/qemu-arm64", [self.emulator, link, link]),
            ("usr", [directory, self.emulator, directory]),
        ):
            with self.subTest(name=name, count=len(members)):
                self.assert_package_refused(members, f"{name}: the member comes twice")

    def test_a_bomb(self):
        for path in MEMBER, "usr/share/other":
            bomb = tarfile.TarInfo(path)
            bomb.size = BOMB
            with self.subTest(path=path):
                self.assert_package_refused([(bomb, None)], path, "larger than 256 MiB")

    def test_what_is_installed_stays_and_a_good_package_with_links_is_installed(self):
        link = member("./usr/bin/qemu-arm64", kind=tarfile.SYMTYPE, target="qemu-aarch64-static")
        directories = [member(path, kind=tarfile.DIRTYPE) for path in ("./", "./usr", "./usr/bin")]
        package = hostile_package(*directories, member(f"./{MEMBER}", self.binary), link, member("./usr/share/doc", b"x"))
        file = self.temporary_directory() / "good.deb"
        file.write_bytes(package)
        done = self.emuctl("emulator", "install", "--file", file, "--sha256", sha256(package), user=ROOT)
        self.assert_installed(done, self.emud)
        bad = hostile_package(member("/etc/passwd"), self.emulator)
        file.write_bytes(bad)
        done = self.emuctl("emulator", "install", "--file", file, "--sha256", sha256(bad), user=ROOT)
        self.assert_status(done, 1)
        self.assertIn("/etc/passwd", done.stderr)
        self.assert_nothing_left(self.emud, [sha256(self.binary)])


if __name__ == "__main__":
    main()
