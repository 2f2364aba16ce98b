"""What `tests/bench/run --check` judges: each bound, broken alone. The measurement itself needs a quiet machine, and is run by hand."""

import sys

from support import *

sys.path.insert(0, str(SOURCE_DIR / "tests/bench"))
import bounds

GOOD = {"emuctl run --rootless": 11.0, "emuctl run": 12.0, "unshare": 11.0, "update-binfmts": 13.0}


class Bounds(TestCase):
    def broken(self, idle=8.0, without=(), **medians):
        measured = GOOD | {name.replace("_", " "): value for name, value in medians.items()}
        return bounds.broken({name: value for name, value in measured.items() if name not in without}, idle)

    def test_all_hold(self):
        self.assertEqual(self.broken(), [])

    def test_each_broken_alone(self):
        for what, words in (
            (self.broken(unshare=10.9), ["emuctl run --rootless", "unshare"]),
            (self.broken(unshare=9.2, **{"emuctl run --rootless": 9.0}), ["emuctl run took 12.00", "1.3 x 9.20"]),
            (self.broken(**{"update-binfmts": 12.0}), ["emuctl run took 12.00", "update-binfmts"]),
            (self.broken(idle=12.0), ["12.0 MiB"]),
        ):
            self.assertEqual(len(what), 1, what)
            for word in words:
                self.assertIn(word, what[0])

    def test_what_was_not_measured_is_not_held(self):
        for peer in "unshare", "update-binfmts":
            self.assertEqual(len(self.broken(without=[peer])), 2)

    def test_documented(self):
        self.assertIn("tests/bench/run --check", (SOURCE_DIR / "README.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
