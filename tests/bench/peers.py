"""The peers that the bench compares emud with, where the machine itself does not have them.

util-linux's unshare with --load-interp (>= 2.41) comes from Debian 13 and runs with that system's own C library; binfmt-support's
update-binfmts comes from the machine's own Debian. Both are fetched with apt from the mirror that the machine is configured for,
checked by its signatures, and unpacked into a directory: nothing is installed.
"""

import os
import pathlib
import shutil
import subprocess

SUITE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
LIBRARIES = "usr/lib/x86_64-linux-gnu"


class Unavailable(Exception):
    """A peer that is not to be had on this machine; the text says why."""


def capture(*arguments, **options):
    try:
        return subprocess.run(arguments, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options).stdout
    except FileNotFoundError as error:
        raise Unavailable(f"there is no {arguments[0]}") from error
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{arguments[0]} failed: {error.stderr.strip().splitlines()[-1:]}") from error


def mirror():
    """Where the machine gets its Debian packages from."""
    lines = capture("apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian")
    for line in lines.splitlines():
        if line.rstrip("/").endswith("/debian"):
            return line
    raise Unavailable("apt has no Debian mirror")


def suite_options(directory):
    """apt's options for that one suite, with lists of its own."""
    for name in ("lists/partial", "cache/archives/partial"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    (directory / "status").touch()
    (directory / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror()} {SUITE} main\n")
    settings = {
        "Dir::Etc::sourcelist": directory / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": directory / "lists",
        "Dir::State::status": directory / "status",
        "Dir::Cache": directory / "cache",
        "APT::Sandbox::User": "root",
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def unpack(packages, directory, options=()):
    """The content of the packages under `directory`, which stays for the next run."""
    if directory.exists():
        return directory
    partial = directory.with_name(directory.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    capture("apt-get", *options, "download", *packages, cwd=partial)
    for package in sorted(partial.glob("*.deb")):
        capture("dpkg-deb", "--extract", str(package), str(partial))
        package.unlink()
    partial.rename(directory)
    return directory


def has_load_interp(command):
    return "--load-interp" in capture(*command, "--help")


def unshare(cache):
    """name -> the beginning of a command line: the machine's own, else the fetched one in each way to start it."""
    own = shutil.which("unshare")
    if own and has_load_interp([own]):
        return {"unshare": [own]}
    root = cache / "util-linux"
    if not root.exists():
        options = suite_options(cache / "apt")
        capture("apt-get", *options, "update")
        unpack(["util-linux", "libc6"], root, options)
    program, loader = root / "usr/bin/unshare", root / LIBRARIES / "ld-linux-x86-64.so.2"
    direct = root / "usr/bin/unshare-direct"
    if not direct.exists():
        patchelf = unpack(["patchelf"], cache / "patchelf") / "usr/bin/patchelf"
        shutil.copy(program, direct)
        capture(patchelf, "--set-interpreter", str(loader), "--set-rpath", str(root / LIBRARIES), str(direct))
    ways = {
        "unshare, by its loader": [str(loader), "--library-path", str(root / LIBRARIES), str(program)],
        "unshare": [str(direct)],
    }
    for command in ways.values():
        if not has_load_interp(command):
            raise Unavailable("the fetched unshare has no --load-interp")
    return ways


def update_binfmts(cache):
    """(the program, the environment it needs)."""
    own = shutil.which("update-binfmts", path="/usr/sbin")
    if own:
        return own, {}
    root = unpack(["binfmt-support", "libpipeline1"], cache / "binfmt-support")
    return str(root / "usr/sbin/update-binfmts"), {"LD_LIBRARY_PATH": str(root / LIBRARIES)}


def prepare(cache):
    """Fetches what is missing. peer -> what keeps it from being measured, where something does."""
    missing = {}
    for peer in (unshare, update_binfmts):
        try:
            peer(pathlib.Path(cache))
        except Unavailable as error:
            missing[peer.__name__] = str(error)
    return missing
