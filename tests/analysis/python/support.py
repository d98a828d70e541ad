"""What the tests of the Python package share. Without h5py, numpy, pandas or matplotlib they are skipped."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "analysis/python"

try:
    import h5py
    import matplotlib  # noqa: F401
    import numpy
    import pandas  # noqa: F401
except ImportError as missing:
    print(f"skipped: no {missing.name}")
    sys.exit(77)

sys.path.insert(0, str(PACKAGE))
import wkvq_results  # noqa: E402

TEXT = h5py.string_dtype()


class TemporaryFolderTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)


def write_run(path, bits, nll, status="done"):
    """A run of two windows with two tokens each, as results/README.md describes it."""
    with h5py.File(path, "w") as file:
        file.attrs.update({"schema": "wkvq-run-1", "run_id": path.stem, "sweep": "demo", "status": status})
        config = file.create_group("config")
        config.attrs.update({"yaml": "method: {}", "method.kv.bits": bits, "method.kv.symmetric": "true",
                             "model.path": "folder/tiny"})
        cost = file.create_group("cost")
        cost.attrs.update({"seconds_blocks": 1.5, "peak_bytes_host": 1000, "bytes_linears": 900, "bytes_kv_cache": 10 * bits})
        group = file.create_group("evaluation/perplexity.self.past")
        group.attrs.update({"metric": "perplexity", "value": 2.5, "stderr": 0.5, "n": 4, "kv_mode": "past",
                            "data_fingerprint": "abc"})
        group.create_dataset("convention", data="windows of 2 tokens", dtype=TEXT)
        group["window"] = numpy.array([0, 0, 1, 1])
        group["position"] = numpy.array([1, 2, 1, 2])
        group["nll"] = numpy.array(nll, dtype=numpy.float32)
        group.create_dataset("choice", data=["a", "b", "c", "d"], dtype=TEXT)
    return path


SWEEP = """
name: small
model: {{path: mini, dtype: float32}}
method: {{name: rtn, weight: {{bits: 16, group_size: 64}}, kv: {{bits: 16}}}}
evaluate:
  - {{task: perplexity, dataset: {{name: self, samples: 2}}, kl: true}}
  - {{task: cloze, dataset: {{name: self, samples: 2}}, items: 20}}
  - {{task: rolling_perplexity, dataset: {{name: text, path: '{text}'}}}}
  - {{task: context_curve, dataset: {{name: self, samples: 2}}, buckets: 4}}
sweep:
  method.kv.bits: [16, 2]
"""


def program(*arguments):
    """What the program prints; the test is skipped where none is built."""
    binary = os.environ.get("WKVQ_BINARY", str(ROOT / "build/wkvq"))
    if not Path(binary).exists():
        raise unittest.SkipTest(f"no {binary}")
    done = subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, timeout=900)
    if done.returncode != 0:
        raise AssertionError(f"wkvq {arguments}: {done.stdout}{done.stderr}")
    return done.stdout


def small_sweep(folder):
    """Two finished runs on the embedded model, 16 and 2 bits of the cache; their paths."""
    (folder / "text.txt").write_text("The ferry crossed the bay, and the gulls went with it.\n" * 20)
    (folder / "small.yaml").write_text(SWEEP.format(text=folder / "text.txt"))
    program("run", folder / "small.yaml", "--results", folder / "results")
    full, two = (next((folder / "results/small").glob(f"kv.bits-{bits}-*.h5")) for bits in (16, 2))
    return full, two
