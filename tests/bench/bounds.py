"""What emud may cost at most, of medians measured in one run."""

TO_UNSHARE = {"emuctl run --rootless": 1.0, "emuctl run": 1.3}
IDLE_MIB = 12
TEXT = (f"rootless at most unshare --load-interp, the daemon at most {TO_UNSHARE['emuctl run']} times that, both below update-binfmts; "
        f"emud idle below {IDLE_MIB} MiB")


def broken(medians, idle_mib):
    """A line for each bound that does not hold, or cannot be judged since its peer was not measured."""
    lines = []
    for way, factor in TO_UNSHARE.items():
        median = medians[way]
        if "unshare" not in medians:
            lines.append(f"{way}: unshare --load-interp was not measured")
        elif median > factor * medians["unshare"]:
            lines.append(f"{way} took {median:.2f} ms, more than {factor} x {medians['unshare']:.2f} ms of unshare --load-interp")
        if "update-binfmts" not in medians:
            lines.append(f"{way}: update-binfmts was not measured")
        elif median >= medians["update-binfmts"]:
            lines.append(f"{way} took {median:.2f} ms, not less than {medians['update-binfmts']:.2f} ms of update-binfmts")
    if idle_mib >= IDLE_MIB:
        lines.append(f"emud takes {idle_mib:.1f} MiB when idle, not less than {IDLE_MIB}")
    return lines
