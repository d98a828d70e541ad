"""Tests of wkvq_results.read and frames on files written here."""

import unittest
import warnings
from pathlib import Path

from support import TemporaryFolderTest, h5py, program, wkvq_results, write_run


class ReadTest(TemporaryFolderTest):
    def test_load(self):
        run = wkvq_results.load(write_run(self.folder / "a.h5", 4, [1, 2, 3, 4]))
        self.assertEqual(run["run_id"], "a")
        self.assertEqual(run["config"]["method.kv.bits"], 4)
        self.assertIsInstance(run["config"]["method.kv.bits"], int)
        self.assertEqual((run["cost"]["seconds_blocks"], run["cost"]["peak_bytes_host"]), (1.5, 1000))
        evaluation = run["evaluation"]["perplexity.self.past"]
        # Text above 64 KiB lies in a dataset of its name.
        self.assertEqual(evaluation["convention"], "windows of 2 tokens")
        self.assertEqual((evaluation["value"], evaluation["stderr"], evaluation["n"]), (2.5, 0.5, 4))

    def test_rows(self):
        rows = wkvq_results.rows(write_run(self.folder / "a.h5", 4, [1, 2, 3, 4]), "perplexity.self.past")
        self.assertEqual(set(rows), {"window", "position", "nll", "choice"})
        self.assertEqual(list(rows["choice"]), ["a", "b", "c", "d"])

    def test_paired(self):
        a = write_run(self.folder / "a.h5", 16, [1, 2, 3, 4])
        b = write_run(self.folder / "b.h5", 4, [1.5, 2.5, 5, 5])
        difference, error = wkvq_results.paired(b, a, "perplexity.self.past")
        # Window means differ by 0.5 and 1.5: mean 1, half their distance.
        self.assertEqual((difference, error), (1.0, 0.5))
        with h5py.File(b, "r+") as file:
            file["evaluation/perplexity.self.past/position"][0] = 9
        with self.assertRaisesRegex(ValueError, "did not score the same tokens"):
            wkvq_results.paired(b, a, "perplexity.self.past")

    def test_frame_has_settings_costs_and_numbers(self):
        write_run(self.folder / "a.h5", 4, [1, 2, 3, 4])
        write_run(self.folder / "b.h5", 2, [1, 2, 3, 4])
        write_run(self.folder / "c.h5", 3, [1, 2, 3, 4], status="failed")
        table = wkvq_results.frame(self.folder)
        self.assertEqual(list(table["run_id"]), ["a", "b"])
        self.assertEqual(list(table["method.kv.bits"]), [4, 2])
        self.assertEqual(list(table["cost.seconds_blocks"]), [1.5, 1.5])
        self.assertEqual(list(table["evaluation"]), ["perplexity.self.past"] * 2)
        self.assertNotIn("yaml", table.columns)

    def test_merged_file(self):
        write_run(self.folder / "a.h5", 4, [1, 2, 3, 4])
        write_run(self.folder / "b.h5", 2, [1, 2, 3, 5])
        before = wkvq_results.frame(self.folder)
        merged = self.folder / "all.h5"
        program("merge", self.folder, "--out", merged)
        table = wkvq_results.frame(merged)
        self.assertEqual(set(table.columns), set(before.columns))
        self.assertTrue(table[before.columns].equals(before))
        # In the folder it is passed over: its runs lie there, too.
        self.assertTrue(wkvq_results.frame(self.folder).equals(before))
        index = wkvq_results.index_frame(merged)
        self.assertEqual(list(index["run_id"]), ["a", "b"])
        self.assertEqual(list(index["value"]), [2.5, 2.5])
        self.assertEqual(list(index["kv_mode"]), ["past", "past"])
        rows = wkvq_results.rows(merged / "b", "perplexity.self.past")
        self.assertEqual(list(rows["nll"]), [1, 2, 3, 5])
        with self.assertRaises(KeyError):
            wkvq_results.load(merged / "c")

    def test_frame_warns_of_broken_files_and_goes_on(self):
        good = write_run(self.folder / "good.h5", 4, [1, 2, 3, 4])
        whole = good.read_bytes()
        (self.folder / "cut.h5").write_bytes(whole[: len(whole) // 2])
        (self.folder / "empty.h5").write_bytes(b"")
        (self.folder / "text.h5").write_text("no HDF5")
        with h5py.File(self.folder / "other.h5", "w") as file:
            file.attrs["schema"] = "another"
        with h5py.File(write_run(self.folder / "bare.h5", 4, [1, 2, 3, 4]), "r+") as file:
            del file.attrs["status"]
        with h5py.File(write_run(self.folder / "no_config.h5", 4, [1, 2, 3, 4]), "r+") as file:
            del file["config"]
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            table = wkvq_results.frame(self.folder)
        self.assertEqual(list(table["run_id"]), ["good"])
        named = {Path(str(one.message).split(" is left out")[0]).name for one in told}
        self.assertEqual(named, {"cut.h5", "empty.h5", "text.h5", "other.h5", "bare.h5", "no_config.h5"})


if __name__ == "__main__":
    unittest.main()
