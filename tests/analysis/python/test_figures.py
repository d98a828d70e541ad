"""Figures by their numbers, frames and xarray over axes, the command line."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import PACKAGE, TemporaryFolderTest, numpy, small_sweep, wkvq_results, write_run
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

    def test_command_line_writes_the_same_file_twice_and_names_what_is_wrong(self):
        def run(*arguments):
            return subprocess.run([sys.executable, "-m", "wkvq_results", *map(str, arguments)], cwd=PACKAGE,
                                  capture_output=True, text=True)

        files = [self.folder / name for name in ("a.svg", "b.svg")]
        for file in files:
            done = run("pareto", self.folder / "results", "-o", file)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(files[0].read_bytes(), files[1].read_bytes())
        done = run("context_curve", self.folder / "nowhere.h5", "-o", files[0])
        self.assertEqual(done.returncode, 2)
        self.assertIn("nowhere.h5", done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)

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
