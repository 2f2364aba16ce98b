#!/usr/bin/env python3
"""Compares emud's magics and masks with those of the distribution's qemu-user-binfmt package.

usage: EMUD_BUILD_DIR=... oracle_binfmt.py [PACKAGE.deb...]

emud's side comes from support/dump_rules of the build directory. Without packages it downloads
those of the machine's own release with apt-get. They hold binfmt.d files (since Debian 12; since 13
as links to files of qemu-user) and import files of update-binfmts (Debian 12's usr/share/binfmts);
whatever is there is compared. Every byte that differs must be listed below with its reason. Exits
with 77 (skipped) where no package can be had.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SKIPPED = 77

# Where emud follows QEMU's own scripts/qemu-binfmt-conf.sh and Debian does not: byte numbers by
# name.
OSABI = "QEMU ignores OSABI; Debian accepts 0 to 3 only"
LENIENT = "QEMU is lenient about EI_DATA and EI_VERSION; Debian is not"
ABI_VERSION = "QEMU ignores the ABI version; Debian 12 accepts 0 and 1 only"
E_VERSION = "QEMU compares e_version; Debian 12 does not"
DELIBERATE = {
    **{
        name: {7: OSABI}
        for name in (
            "i386 ppc ppc64 ppc64le s390x sh4 sh4eb sparc sparc32plus sparc64 x86_64".split()
        )
    },
    "alpha": {5: LENIENT, 6: LENIENT},
    "m68k": {6: LENIENT},
    "mips64": {8: ABI_VERSION},
    "mips64el": {8: ABI_VERSION},
    **{
        name: {8: ABI_VERSION, **dict.fromkeys(range(20, 24), E_VERSION)}
        for name in ("mips", "mipsel", "mipsn32", "mipsn32el")
    },
}

# Architectures of emud that some release's packages have no entry for.
ABSENT = {
    "aarch64": "native on arm64",
    "arm": "native on arm64 and armhf",
    "i386": "native on amd64 and i386",
    "x86_64": "native on amd64",
    "aarch64_be": "none in Debian 12",
    "microblazeel": "none in Debian 12",
    "or1k": "none in Debian 12",
    "cris": "not in QEMU since 9.2",
    "nios2": "in no version's entries, and not in QEMU since 9.1",
}


def unescape(text):
    """Bytes of a field in which \\xHH stands for a byte and anything else for itself."""
    return re.sub(rb"\\x([0-9a-fA-F]{2})", lambda m: bytes([int(m[1], 16)]), text.encode())


def parse_registration(text):
    """(magic, mask) of a registration string `:name:M:offset:magic:mask:interpreter:flags`."""
    fields = text[1:].split(text[0])
    if len(fields) != 7 or fields[1] != "M" or fields[2] not in ("", "0"):
        raise ValueError(f"not a magic entry at offset 0: {text!r}")
    return unescape(fields[3]), unescape(fields[4])


def parse_import(text):
    """(magic, mask) of an import file of update-binfmts: a keyword and its value a line."""
    fields = dict(line.split(" ", 1) for line in text.splitlines())
    if fields.get("offset", "0") != "0":
        raise ValueError(f"not at offset 0: {text!r}")
    return unescape(fields["magic"]), unescape(fields["mask"])


def read_packages(root):
    """[(file, architecture, (magic, mask))] of all that was unpacked below root."""
    found = []
    for folder in ("usr/lib/binfmt.d", "usr/share/qemu/binfmt.d"):
        for path in sorted(Path(root, folder).glob("qemu-*.conf")):
            if not path.exists():
                continue  # a link into a package that is not here
            for line in path.read_text().split("\n"):
                if line and line[0] not in "#;":
                    name = path.stem.removeprefix("qemu-")
                    found.append((path, name, parse_registration(line)))
    for path in sorted(Path(root, "usr/share/binfmts").glob("qemu-*")):
        found.append((path, path.name.removeprefix("qemu-"), parse_import(path.read_text())))
    return found


def download(package, directory):
    """The package of this machine's release; nothing where it has none."""
    folder = Path(directory, package)
    folder.mkdir()
    subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, check=False)
    return sorted(folder.glob("*.deb"))


def unpack(packages, root):
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)


def entries(packages, directory):
    """What read_packages finds in the packages, downloaded where none are given."""
    root = os.path.join(directory, "root")
    os.mkdir(root)
    unpack(packages or download("qemu-user-binfmt", directory), root)
    if not packages and any(path.is_symlink() for path in Path(root).rglob("qemu-*.conf")):
        unpack(download("qemu-user", directory), root)
    return read_packages(root)


def differing_bytes(ours, theirs):
    size = max(len(ours[0]), len(theirs[0]))
    (magic, mask), (other_magic, other_mask) = (
        [field.ljust(size, b"\0") for field in rule] for rule in (ours, theirs)
    )
    return [
        i
        for i in range(size)
        if mask[i] != other_mask[i] or magic[i] & mask[i] != other_magic[i] & other_mask[i]
    ]


def compare(ours, theirs):
    failures = []
    deliberate = set()
    for path, name, rule in theirs:
        if name not in ours:
            failures.append(f"{name}: the package has it ({path.name}), emud does not")
            continue
        for i in differing_bytes(ours[name], rule):
            reason = DELIBERATE.get(name, {}).get(i)
            if reason is None:
                failures.append(f"{name}: byte {i} differs from {path.name}: {ours[name]} {rule}")
            else:
                deliberate.add(f"{name}: {reason}")
    for item in sorted(deliberate):
        print(f"differs on purpose: {item}")
    known = {name for _, name, _ in theirs}
    failures += [f"{n}: emud has it, the package not" for n in ours if n not in known | set(ABSENT)]
    listed = DELIBERATE | ABSENT
    failures += [f"{n}: listed here but not in emud" for n in listed if n not in ours]
    return failures


def main():
    dumper = os.path.join(os.environ["EMUD_BUILD_DIR"], "support", "dump_rules")
    dump = subprocess.run([dumper], capture_output=True, text=True, check=True).stdout
    ours = {}
    for line in dump.splitlines():
        name, text = line.split(" ", 1)
        ours[name] = parse_registration(text)
    with tempfile.TemporaryDirectory() as directory:
        theirs = entries(sys.argv[1:], directory)
        if not theirs:
            print("no package with binfmt entries could be had")
            return SKIPPED
        failures = compare(ours, theirs)
    print(f"{len(theirs)} entries of {len({n for _, n, _ in theirs})} architectures compared")
    for failure in failures:
        print(f"FAILED {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
