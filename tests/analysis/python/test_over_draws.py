"""Ranges over draws, by hand."""

import h5py
from support import TemporaryFolderTest, unittest, write_run
from wkvq_results.over_draws import paired_over_draws


class OverDrawsTest(TemporaryFolderTest):
    def run_of(self, name, method, bits, draw, nll, **attributes):
        path = write_run(self.folder / f"{name}.h5", bits, nll)
        with h5py.File(path, "r+") as file:
            file["config"].attrs.update({"method.name": method, **attributes})
            if draw is not None:
                file["config"].attrs["calibration.seed"] = draw

    def ranges(self, **options):
        return paired_over_draws(self.folder, "perplexity.self.past", {"method.name": "ours"},
                                              same=["method.kv.bits"], **options)

    def test_by_hand(self):
        for draw, shift in ((1, 0.0), (2, 0.5)):
            for bits in (4, 2):
                self.run_of(f"ours-{bits}-{draw}", "ours", bits, draw, [1, 1, 1, 1])
            # Means of windows 0.25 and 0.75 above, then 0.5 more: 0.5 and 1.0, each with an error of 0.25.
            self.run_of(f"other-4-{draw}", "other", 4, draw, [1.25 + shift, 1.25 + shift, 1.75 + shift, 1.75 + shift])
            self.run_of(f"other-2-{draw}", "other", 2, draw, [3, 3, 3, 3])
        # Without a draw: beside every baseline.
        self.run_of("plain-4", "plain", 4, None, [2, 2, 2, 2])
        found = {(one.setting["method.name"], one.setting["method.kv.bits"]): one for one in self.ranges()}
        self.assertEqual(set(found), {("other", "4"), ("other", "2"), ("plain", "4")})
        self.assertEqual(sorted(found["other", "4"].differences), [0.5, 1.0])
        self.assertAlmostEqual(found["other", "4"].stderr, 0.25, places=12)
        self.assertEqual(found["other", "2"].differences, [2.0, 2.0])
        self.assertEqual(found["plain", "4"].differences, [1.0, 1.0])

    def test_no_single_baseline(self):
        self.run_of("ours-1", "ours", 4, 1, [1, 1, 1, 1], **{"method.loss.kind": "mae"})
        self.run_of("other-2", "other", 4, 2, [1, 1, 1, 1])
        with self.assertRaisesRegex(ValueError, "other-2.h5: 0 runs are its baseline; expected one of"):
            self.ranges()
        self.run_of("other-2", "other", 4, 1, [1, 1, 1, 1])
        self.run_of("ours-2", "ours", 4, 1, [1, 1, 1, 1], **{"method.loss.kind": "mse"})
        with self.assertRaisesRegex(ValueError, "2 runs are its baseline"):
            self.ranges()


if __name__ == "__main__":
    unittest.main()
