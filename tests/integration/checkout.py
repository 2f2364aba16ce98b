"""The checkout as the users of the hermetic machine can reach it.

It may lie below a directory that is root's alone, be readable by root alone, and have a space in its path, which the shell scripts
of tests do not quote: what users run and read is copied to a plain place, the rest is linked, for root.
"""

import pathlib
import subprocess

PLACE = pathlib.Path("/run/checkout")
FOR_EVERYBODY = {"source": ("tests", "packaging"), "build": ("bin/emud", "bin/emuctl", "guest", "libexec")}


def show(name, directory):
    """PLACE/name, which shows that directory. Made once on a machine: the test and what it starts share it."""
    shown = PLACE / name
    if shown.exists():
        return shown
    shown.mkdir(parents=True)
    for part in FOR_EVERYBODY[name]:
        (shown / part).parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-R", "--", directory / part, shown / part], check=True)
    for entry in directory.resolve().iterdir():
        if not (shown / entry.name).exists():
            (shown / entry.name).symlink_to(entry)
    subprocess.run(["chmod", "-R", "a+rX", "--", PLACE], check=True)  # follows no link that it finds
    return shown
