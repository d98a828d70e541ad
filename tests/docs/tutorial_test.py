"""Runs docs/tutorial.md: its shell blocks in order in an empty folder, its files beside them, its listings compared.

A comment before a block says what it is: <!-- not run: why -->, <!-- file: NAME --> or <!-- listing: PATH -->. Commands
of Python need h5py, numpy, pandas, matplotlib and xarray; without them they are left out.
"""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs/tutorial.md"
BINARY = Path(os.environ.get("WKVQ_BINARY", ROOT / "build/wkvq"))
BLOCK = re.compile(r"(?:^<!-- (not run|file|listing): (.+?) -->\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON_NEEDS = ("h5py", "numpy", "pandas", "matplotlib", "xarray")


def blocks():
    return [match.groups() for match in BLOCK.finditer(TUTORIAL.read_text())]


class TutorialTest(unittest.TestCase):
    def test_listings_are_the_files_that_are_compiled(self):
        listings = [(name, text) for kind, name, _, text in blocks() if kind == "listing"]
        self.assertEqual(len(listings), 2)
        for name, text in listings:
            self.assertEqual(text, (TUTORIAL.parent / name).read_text(), name)

    def test_the_method_can_be_registered_as_it_says(self):
        script = next(text for kind, _, _, text in blocks() if kind == "not run" and "registry.cpp" in text)
        with tempfile.TemporaryDirectory() as folder:
            for name in ("methods/registry.cpp", "cmake/rooms.txt"):
                target = Path(folder) / name
                target.parent.mkdir()
                target.write_text((ROOT / name).read_text())
            subprocess.run(["bash", "-ec", script[script.index("sed"):script.index("cmake --build")]], cwd=folder,
                           check=True)
            registry = (Path(folder) / "methods/registry.cpp").read_text()
            rooms = (Path(folder) / "cmake/rooms.txt").read_text()
        self.assertIn('\n#include "methods/bias_correction/bias_correction.h"\n', registry)
        self.assertIn('\n      entry<BiasCorrection>("bias_correction"),\n', registry)
        self.assertIn("\nmethods/bias_correction: core/device methods/common\n", rooms)

    @unittest.skipUnless(BINARY.exists(), f"no {BINARY}")
    def test_every_command_works_in_an_empty_folder(self):
        python = all(importlib.util.find_spec(name) for name in PYTHON_NEEDS)
        run = 0
        with tempfile.TemporaryDirectory() as folder:
            names = Path(folder, ".bin")
            names.mkdir()
            (names / "wkvq").symlink_to(BINARY)
            (names / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
            (names / "python").chmod(0o755)
            environment = {**os.environ, "PATH": f"{names}:{os.environ['PATH']}",
                           "PYTHONPATH": str(ROOT / "analysis/python"), "MPLCONFIGDIR": folder}
            for kind, name, language, text in blocks():
                if kind == "file":
                    Path(folder, name).write_text(text)
                if language != "sh" or kind == "not run" or ("python" in text and not python):
                    continue
                done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=folder, env=environment,
                                      capture_output=True, text=True, timeout=900)
                self.assertEqual(done.returncode, 0, text + done.stdout + done.stderr)
                run += 1
            self.assertTrue(Path(folder, "front.pdf").read_bytes().startswith(b"%PDF"))
        self.assertGreaterEqual(run, 7)


if __name__ == "__main__":
    unittest.main()
