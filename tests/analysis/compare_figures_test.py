"""Tests of scripts/quality/compare_figures.py."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/quality/compare_figures.py"
HEADER = "kv.bits,kl,kl.stderr,kl.n,kl.metric,kl.convention,cost.bits"


class CompareFiguresTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def table(self, name, *rows):
        path = self.folder / name
        path.write_text("\n".join((HEADER, *rows)) + "\n")
        return str(path)

    def run_script(self, *arguments):
        return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True)

    def test_numbers_agree_within_the_larger_standard_error(self):
        expected = self.table("a.csv", "4,0.50,0.02,10,kl,text,4", "16,0,0,10,kl,text,16")
        for row, code in (("4,0.515,0.01,10,kl,other,4", 0), ("4,0.525,0.03,10,kl,text,4", 0),
                          ("4,0.53,0.02,10,kl,text,4", 1), ("4,nan,nan,10,kl,text,4", 1)):
            done = self.run_script(expected, self.table("b.csv", "16,0,0,10,kl,text,16", row))
            self.assertEqual(done.returncode, code, row + done.stdout + done.stderr)

    def test_a_number_without_an_error_is_equal(self):
        expected = self.table("a.csv", "16,0,0,10,kl,text,16")
        self.assertEqual(self.run_script(expected, self.table("b.csv", "16,1e-9,0,10,kl,text,16")).returncode, 1)

    def test_rows_that_are_missing_or_stored_otherwise_are_told(self):
        expected = self.table("a.csv", "4,0.50,0.02,10,kl,text,4")
        done = self.run_script(expected, self.table("b.csv", "4,0.50,0.02,10,kl,text,5"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("MISSING", done.stdout)

    def test_write_keeps_what_is_compared(self):
        new = self.table("b.csv", "4,0.50,0.02,10,kl,text,4")
        target = self.folder / "c.csv"
        self.assertEqual(self.run_script(str(target), new).returncode, 1)
        self.assertEqual(self.run_script(str(target), new, "--write").returncode, 0)
        self.assertEqual(target.read_text(), "kv.bits,cost.bits,kl,kl.stderr,kl.n\n4,4,0.50,0.02,10\n")
        self.assertEqual(self.run_script(str(target), new).returncode, 0)


if __name__ == "__main__":
    unittest.main()
