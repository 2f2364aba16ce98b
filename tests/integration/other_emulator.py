"""A second version of QEMU for aarch64: the package of another release of the machine's distribution, from the archive
that its apt is configured for. Kept in the build directory; fetched before the
tests move to a machine of their own, which may have no network."""

import fcntl
import pathlib
import shutil
import subprocess
import tempfile

from support import BUILD_DIR

# (ID, VERSION_ID) of os-release -> release, component and package with static emulators of another version
OTHER_RELEASES = {
    ("debian", "12"): ("trixie", "main", "qemu-user"),
    ("debian", "13"): ("bookworm", "main", "qemu-user-static"),
    ("ubuntu", "24.04"): ("jammy", "universe", "qemu-user-static"),
}
ARCHITECTURES = ("aarch64", "arm", "riscv64", "s390x")
CACHE = BUILD_DIR / "other-emulator"


def package():
    """The path of the .deb that fetch() got, or None."""
    return next(CACHE.glob("*.deb"), None)


def binaries():
    """The emulators of ARCHITECTURES out of it: their files, named as in the package. Unpacking all of it takes a while: it is
    done once."""
    with open(CACHE / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        unpacked = CACHE / f"{package().name}.unpacked"
        if not unpacked.exists():
            _unpack(unpacked)
    return sorted(path for path in (unpacked / "usr/bin").iterdir() if not path.is_symlink())


def _unpack(target):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="unpacking-", dir=CACHE))
    try:
        directory.chmod(0o755)
        patterns = [f"./usr/bin/qemu-{name}{suffix}" for name in ARCHITECTURES for suffix in ("", "-static")]
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package()], stdout=subprocess.PIPE) as archive:
            subprocess.run(["tar", "-x", "-C", directory, "--wildcards", *patterns], stdin=archive.stdout, capture_output=True,
                           check=False)  # of two names, one is there
        directory.rename(target)
    except BaseException:
        shutil.rmtree(directory)
        raise


def fetch():
    """Gets it once. What went wrong is left in a file for the test that needs it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if package() is not None:
            return
        try:
            _download()
        except (OSError, subprocess.CalledProcessError, LookupError) as error:
            detail = getattr(error, "stderr", None) or ""
            (CACHE / "reason").write_text(f"{error} {detail}".strip(), encoding="utf-8")


def reason():
    file = CACHE / "reason"
    return file.read_text(encoding="utf-8") if file.exists() else "it was never asked for"


def _download():
    distribution, version, codename = _os_release()
    if (distribution, version) not in OTHER_RELEASES:
        raise LookupError(f"no other release of {distribution} {version} is known")
    release, component, name = OTHER_RELEASES[distribution, version]
    archive = _archive(codename)
    with tempfile.TemporaryDirectory(prefix="other-emulator-") as directory:
        root = pathlib.Path(directory)
        for part in ("state/lists/partial", "cache/archives/partial", "parts", "trusted"):
            (root / part).mkdir(parents=True)
        keyring = f"/usr/share/keyrings/{distribution}-archive-keyring.gpg"
        (root / "sources.list").write_text(f"deb [signed-by={keyring}] {archive} {release} {component}\n", encoding="utf-8")
        options = [f"-o={key}={value}" for key, value in {
            "Dir::Etc::sourcelist": root / "sources.list", "Dir::Etc::sourceparts": root / "parts", "Dir::State": root / "state",
            "Dir::State::lists": root / "state/lists", "Dir::State::status": "/dev/null", "Dir::Cache": root / "cache",
            "APT::Sandbox::User": "root", "Acquire::Languages": "none", "APT::Update::Post-Invoke-Success": "",
            "Acquire::Retries": 3}.items()]
        for verb in ("update", "download"):
            words = ["apt-get", "-q", *options, verb] + ([name] if verb == "download" else [])
            subprocess.run(words, cwd=root, check=True, capture_output=True, text=True)
        shutil.move(next(root.glob("*.deb")), CACHE)


def _os_release():
    words = dict(line.rstrip("\n").split("=", 1) for line in open("/etc/os-release", encoding="utf-8") if "=" in line)
    return tuple(words.get(key, "").strip('"') for key in ("ID", "VERSION_ID", "VERSION_CODENAME"))


def _archive(codename):
    """The address that the machine's own release comes from."""
    lines = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"],
                           check=True, capture_output=True, text=True).stdout.split("\n")
    for line in lines:
        address, _, release = line.partition(" ")
        if release == codename:
            return address
    raise LookupError(f"apt has no source for {codename}")
