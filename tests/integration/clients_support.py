"""What the tests with programs of others share."""

from support import *

ARM64 = ["-a", "arm64", "--"]


def give_subordinate_ids():
    """To alice, in the /etc of this test's machine: for newuidmap(1)."""
    for name in ("subuid", "subgid"):
        with open(f"/etc/{name}", "w", encoding="utf-8") as file:
            file.write("alice:300000:65536\n")
