"""Tests of scripts/quality/check_docs.py, and of the project's own Markdown files by it."""

import re
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts/quality"))
sys.path.insert(0, str(ROOT / "scripts/fixtures"))
import check_docs
import make_concept_figures


class CheckDocsTest(unittest.TestCase):
    def problems_of(self, text):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "docs").mkdir()
            (root / "docs/there.md").write_text("# The `first` heading: it is\n\n```\n# no heading\n```\n")
            (root / "a.md").write_text(text)
            return list(check_docs.problems(root))

    def test_what_is_there_is_no_problem(self):
        self.assertEqual(self.problems_of(
            "[a](docs/there.md) [b](docs/there.md#the-first-heading-it-is) [c](https://example.org/x) [d](#own)\n"
            "`docs/there.md` `docs/NAME/x.cpp` `docs/<name>.h` `docs/*.svg` `results/x.h5` `cat docs/there.md`\n"
            "## Own\n```\n[e](nowhere) `docs/nowhere`\n```\n"), [])

    def test_links_that_lead_nowhere(self):
        self.assertEqual(self.problems_of("[a](docs/gone.md) ![b](x.svg) [c](docs/there.md#no-heading) [d](#gone)"),
                         ["a.md: no file docs/gone.md", "a.md: no file x.svg",
                          "a.md: no heading docs/there.md#no-heading", "a.md: no heading #gone"])

    def test_paths_that_are_gone(self):
        self.assertEqual(self.problems_of("`docs/gone.cpp`, `docs/there.{md,h}`, `tests/NAME/x`, `sh docs/a --b`"),
                         ["a.md: no path docs/gone.cpp", "a.md: no path docs/there.{md,h}",
                          "a.md: no path tests/NAME/x", "a.md: no path docs/a"])

    def test_the_project_names_nothing_that_is_missing(self):
        self.assertEqual(list(check_docs.problems(ROOT)), [])

    def test_the_drawings_are_those_of_their_script(self):
        for name, draw in make_concept_figures.FIGURES.items():
            self.assertEqual((ROOT / "docs/figures" / name).read_text(), draw(), name)

    def test_the_version_is_the_same_everywhere(self):
        version = re.search(r"project\(wkvq VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]
        self.assertIn(f"\nversion: {version}\n", (ROOT / "CITATION.cff").read_text())
        self.assertIn(f'\nversion = "{version}"\n', (ROOT / "analysis/python/pyproject.toml").read_text())


if __name__ == "__main__":
    unittest.main()
