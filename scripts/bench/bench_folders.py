#!/usr/bin/env python3
"""Large sweeps and large results folders: time and memory of plan, report, status and merge.

Makes a sweep of many runs, does one run, copies its file under other ids, and measures the commands on them. Run it
after a build: scripts/bench/bench_folders.py [--plan 10000] [--files 5000]
"""

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

import h5py

ROOT = Path(__file__).resolve().parents[2]
WKVQ = ROOT / "build/wkvq"
SWEEP = """
name: many
model: {{path: {model}}}
method: {{name: rtn, weight: {{bits: 4, group_size: 64}}, kv: {{bits: 4}}}}
evaluate:
  - {{task: perplexity, dataset: {{name: self, samples: 16, length: 256}}, kl: true}}
  - {{task: cloze, dataset: {{name: self, samples: 16, length: 256}}, items: 100}}
sweep:
  method.weight.bits: [2, 3, 4, 5, 6, 7, 8, 16]
  method.kv.bits: [2, 3, 4, 8, 16]
  method.kv.view.window: {windows}
  method.kv.view.sinks: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
"""
RUNS_OF_A_WINDOW = 8 * 5 * 10


def measured(*arguments):
    """Seconds, peak of resident memory in MB (of it and its children) and output of a command."""
    before = time.perf_counter()
    child = subprocess.Popen([WKVQ, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        raise SystemExit(f"wkvq {arguments[0]} failed")
    return time.perf_counter() - before, usage.ru_maxrss / 1e3, output.decode()


def tell(what, seconds, megabytes):
    print(f"{what:<44} {seconds:7.2f} s {megabytes:8.0f} MB", flush=True)


def copies(source, folder, count):
    """`count` run files like `source`, each with an id, settings and a number of its own."""
    folder.mkdir()
    whole = source.read_bytes()[512:]  # without the seal, which a change would break
    for i in range(count):
        path = folder / f"run-{i:05}.h5"
        path.write_bytes(whole)
        with h5py.File(path, "r+") as file:
            file.attrs["run_id"] = path.stem
            config = file["config"]
            yaml = config.attrs["yaml"].replace("sinks: 0", f"sinks: {i}")
            config.attrs["yaml"] = yaml
            config.attrs["method.kv.view.sinks"] = i
            for group in file["evaluation"].values():
                group.attrs["value"] = group.attrs["value"] + i / count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=int, default=10_000, help="runs of the sweep that is planned")
    parser.add_argument("--files", type=int, default=5_000, help="run files that are reported")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sweep = folder / "many.yaml"
        windows = list(range(1, options.plan // RUNS_OF_A_WINDOW + 1))
        sweep.write_text(SWEEP.format(model=ROOT / "datasets/mini", windows=windows))
        base = (sweep, "--results", folder / "one")
        seconds, megabytes, output = measured("plan", *base)
        tell(f"plan of {output.count(chr(10)) - 1} runs", seconds, megabytes)
        tell("the same, --shard 3/100", *measured("plan", *base, "--shard", "3/100")[:2])
        measured("run", *base, "--only", "*bits-4_kv.bits-4*window-1_*sinks-0-*", "--quiet")
        source = next((folder / "one/many").glob("*.h5"))
        copies(source, folder / "files", options.files)
        size = sum(path.stat().st_size for path in (folder / "files").iterdir()) / 1e6
        tell(f"report of {options.files} files, {size:.0f} MB", *measured("report", folder / "files")[:2])
        tell("status of the folder", *measured("status", folder / "files")[:2])
        tell("merge of them", *measured("merge", folder / "files", "--out", folder / "all.h5")[:2])
        tell("report of the merged file", *measured("report", folder / "all.h5")[:2])


if __name__ == "__main__":
    main()
