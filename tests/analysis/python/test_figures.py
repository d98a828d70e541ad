"""Figures by their numbers, frames and xarray over axes, the program's figures beside them."""

import re
import tempfile
import unittest
from pathlib import Path

from support import TemporaryFolderTest, numpy, program, small_sweep, wkvq_results, write_run
from wkvq_results.figures import front, increase

try:
    import xarray
except ImportError:
    xarray = None


class FrontTest(unittest.TestCase):
    def test_what_no_other_beats(self):
        self.assertEqual(front([(4, 0.1), (3, 0.2), (3.5, 0.3), (2, 0.9), (5, 0.1)]), [3, 1, 0])


class SweepTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        cls.paths = small_sweep(cls.folder)

    def test_context_curve_draws_the_paired_increase_of_each_bucket(self):
        figure = wkvq_results.context_curve(self.paths)
        line = figure.axes[0].containers[0].lines[0]
        full, two = (wkvq_results.figures.curves([path])[0]["buckets"] for path in self.paths)
        expected = [increase(*both)[0] for both in zip(two, full)]
        self.assertEqual(len(expected), 4)
        numpy.testing.assert_allclose(numpy.asarray(line.get_ydata(), float), expected)
        # The paired test says the same of a bucket, whose windows have equally many tokens.
        name = next(name for name in wkvq_results.load(self.paths[0])["evaluation"] if name.startswith("nll_1_"))
        self.assertAlmostEqual(wkvq_results.compare(*self.paths, name)[0].difference, expected[0], 12)

    def test_pareto_draws_bytes_against_kl_with_its_error(self):
        figure = wkvq_results.pareto(self.paths)
        run = wkvq_results.load(self.paths[1])
        axes = figure.axes[0]
        # Weights of 1179648 + 3244032 elements stay in float32; 512 tokens have 128 keys and values of 6 blocks each,
        # in 2 bits and, a head of 64 channels, a scale and a minimum of 32.
        size = (4423680 * 32 + 512 * 6 * 2 * 128 * (2 + 64 / 64)) / 8 / 1e6
        kl = run["evaluation"]["kl.self.past"]
        point = next(c.lines[0] for c in axes.containers)
        numpy.testing.assert_allclose([point.get_xdata()[0], point.get_ydata()[0]], [size, kl["value"]])
        self.assertIn("kl.self.past", axes.get_ylabel())

    def test_wkvq_figure_draws_the_same_numbers(self):
        for name, figure, shown in (("context", wkvq_results.context_curve(self.paths), 4),
                                    ("pareto", wkvq_results.pareto(self.paths), 1)):
            program("figure", name, *self.paths, "-o", self.folder / f"{name}.svg")
            titles = re.findall(r"<title>[^<]*: ([^<]+), ([^<± ]+)(?: ± ([^<]+))?</title></g>",
                                (self.folder / f"{name}.svg").read_text())
            self.assertEqual(len(titles), shown)
            containers = figure.axes[0].containers
            values = [y for one in containers for y in numpy.asarray(one.lines[0].get_ydata(), float)]
            for (_, text, _), value in zip(titles, values):
                # As many digits as the error leaves: half of the last.
                digits = len(text.partition(".")[2])
                self.assertLessEqual(abs(float(text) - value), 0.5 * 10**-digits + 1e-12, name)

    def test_grid_and_channels(self):
        if xarray is None:
            self.skipTest("no xarray")
        grid = wkvq_results.grid(self.folder / "results", "kl.self.past")
        self.assertEqual(dict(grid.sizes), {"method.kv.bits": 2})
        kl = wkvq_results.load(self.paths[1])["evaluation"]["kl.self.past"]
        self.assertEqual(float(grid["value"].sel({"method.kv.bits": 2})), kl["value"])
        self.assertEqual(float(grid["stderr"].sel({"method.kv.bits": 2})), kl["stderr"])
        channels = wkvq_results.channels(self.paths[1], "key")
        self.assertEqual(dict(channels.sizes), {"block": 6, "channel": 128})
        self.assertTrue(bool((channels["min"] <= channels["max"]).all()))
        with self.assertRaisesRegex(ValueError, "no finished run has evaluation 'x'"):
            wkvq_results.grid(self.folder / "results", "x")
        with self.assertRaisesRegex(ValueError, "expected 'key' or 'value'"):
            wkvq_results.channels(self.paths[1], "keys")

    def test_rows_frame(self):
        rows = wkvq_results.rows_frame(self.paths[1], "perplexity.self.past")
        evaluation = wkvq_results.load(self.paths[1])["evaluation"]["perplexity.self.past"]
        self.assertEqual(len(rows), evaluation["n"])
        self.assertAlmostEqual(numpy.exp(rows["nll"].astype(float).mean()), evaluation["value"], 9)


class NothingToDrawTest(TemporaryFolderTest):
    def test_is_said(self):
        run = write_run(self.folder / "a.h5", 4, [1, 2, 3, 4])
        with self.assertRaisesRegex(ValueError, "no finished run with task context_curve"):
            wkvq_results.context_curve([run])
        with self.assertRaisesRegex(ValueError, "no quantized run with evaluation 'kl'"):
            wkvq_results.pareto([run])


if __name__ == "__main__":
    unittest.main()
