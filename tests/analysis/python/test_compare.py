"""Paired tests in Python equal those of `wkvq compare`, on runs that are made here."""

import json
import math
import tempfile
import unittest
from pathlib import Path

from support import TemporaryFolderTest, numpy, program, small_sweep, wkvq_results, write_run
from wkvq_results.compare import _MersenneTwister64


class CompareTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.first, cls.second = small_sweep(Path(temporary.name))

    # Both sum in float64 over a few hundred rows in their own orders.
    def near(self, ours, theirs, what):
        theirs = math.nan if theirs is None else theirs
        if math.isnan(theirs):
            self.assertTrue(math.isnan(ours), what)
        else:
            self.assertLessEqual(abs(ours - theirs), 1e-12 * max(1, abs(theirs)), what)

    def test_equal_to_the_program(self):
        for seed in (0, 7):
            said = json.loads(program("compare", self.first, self.second, "--format", "json", "--bootstrap", 500,
                                      "--seed", seed))
            theirs = {one["name"]: one for one in said["comparisons"]}
            ours = wkvq_results.compare(self.first, self.second, samples=500, seed=seed)
            self.assertEqual([one.name for one in ours], [one["name"] for one in said["comparisons"]])
            metrics = {one.metric for one in ours}
            self.assertTrue({"perplexity", "kl", "top1_agreement", "acc", "bits_per_byte", "word_perplexity"} <= metrics,
                            metrics)
            for one in ours:
                other = theirs[one.name]
                for name, value in (("mean_a", one.means[0]), ("mean_b", one.means[1]), ("difference", one.difference),
                                    ("stderr", one.stderr)):
                    self.near(value, other[name], f"{one.name}: {name}")
                for value, bound in zip(one.interval, other["interval_95"]):
                    self.near(value, bound, f"{one.name}: interval")
                self.assertEqual((one.unit, one.cluster, one.clusters),
                                 (other["unit"], other["cluster"], other["clusters"]))
                self.assertEqual(one.mcnemar is None, "mcnemar" not in other)
                if one.mcnemar:
                    self.near(one.mcnemar.p, other["mcnemar"]["p"], one.name)
                    self.assertEqual(one.mcnemar.test, other["mcnemar"]["test"])
                    self.assertEqual(one.right_to_wrong, other["right_to_wrong"])
                    self.assertEqual(one.wrong_to_right, other["wrong_to_right"])
            self.assertGreater(max(one.difference for one in ours), 0.1)

    def test_only_one_evaluation(self):
        name = "kl.self.past"
        self.assertEqual([one.name for one in wkvq_results.compare(self.first, self.second, name)], [name])
        with self.assertRaisesRegex(ValueError, "no evaluation 'kl.self.none'"):
            wkvq_results.compare(self.first, self.second, "kl.self.none")


class StatisticsTest(TemporaryFolderTest):
    def test_the_generator_is_that_of_the_standard(self):
        # C++ [rand.predef]: the 10000th number of a default mt19937_64, whose seed is 5489.
        self.assertEqual(_MersenneTwister64(5489).draw(10000)[-1], 9981545732273789042)
        one, two = _MersenneTwister64(3), _MersenneTwister64(3)
        self.assertTrue(numpy.array_equal(one.draw(1000), numpy.concatenate([two.draw(n) for n in (1, 400, 599)])))

    def test_paired_difference_by_hand(self):
        # Differences 1 and 3 over weights 1 and 1: mean 2, deviations 1: sqrt(2 * 2) / 2.
        found = wkvq_results.paired_difference([1, 1], [2, 4], [1, 1], samples=200)
        self.assertEqual((found.value, found.stderr, found.interval), (2.0, 1.0, (1.0, 3.0)))
        single = wkvq_results.paired_difference([1], [2], [2])
        self.assertEqual(single.value, 0.5)
        self.assertTrue(math.isnan(single.stderr) and math.isnan(single.interval[0]))

    def test_mcnemar_by_hand(self):
        # 2 (C(5,0) + C(5,1)) / 32
        self.assertEqual(wkvq_results.mcnemar(1, 4).p, 0.375)
        self.assertEqual(wkvq_results.mcnemar(0, 0).p, 1)
        many = wkvq_results.mcnemar(600, 500)
        self.assertEqual(many.test, "chi-square, continuity-corrected")
        self.assertAlmostEqual(many.p, math.erfc(math.sqrt(99**2 / 1100 / 2)), 15)

    def test_other_data_are_refused(self):
        import h5py

        a, b = (write_run(self.folder / f"{name}.h5", 4, [1, 2, 3, 4]) for name in "ab")
        for attribute, value, message in (("data_fingerprint", "other", "same data_fingerprint"),
                                          ("position", None, "column 'position'")):
            with h5py.File(b, "r+") as file:
                group = file["evaluation/perplexity.self.past"]
                if value:
                    group.attrs[attribute] = value
                else:
                    group.attrs["data_fingerprint"] = "abc"
                    group[attribute][0] = 9
            with self.assertRaisesRegex(ValueError, message):
                wkvq_results.compare(a, b)
        with self.assertRaisesRegex(ValueError, "status failed"):
            wkvq_results.compare(a, write_run(self.folder / "c.h5", 4, [1, 2, 3, 4], status="failed"))


if __name__ == "__main__":
    unittest.main()
