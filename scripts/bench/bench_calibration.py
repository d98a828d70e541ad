#!/usr/bin/env python3
"""Calibration beside eager PyTorch, as ratios measured in turn on this machine. See scripts/bench/bench_calibration.sh."""
import argparse
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

import h5py
import torch
from eager_wkvquant import Eager
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
WKVQ = ROOT / "build/wkvq"
MINI = ROOT / "datasets/mini"
THREADS = 2
# Largest relative difference of two losses of the same work, in float64, where codes are the same everywhere and sums
# differ by rounding. In float32 some codes fall to the other side; Adam makes whole steps of gradients that are nearly
# zero, so trainings drift apart by a per cent while they do the same.
LIKE = 1e-9


def without_ties(folder):
    """A copy of mini in float32 with weights a ten-thousandth off the grid of float16 that they come from.

    On that grid some groups reach as far down as up, or 13 steps down and 17 up: the zero point of such a group lies
    half way between two integers, and the last bit of a sum decides."""
    model = folder / "mini"
    shutil.copytree(MINI, model)
    torch.manual_seed(0)
    weights = {name: x.float() for name, x in load_file(MINI / "model.safetensors").items()}
    for name, x in weights.items():
        if name.endswith("proj.weight"):
            x *= 1 + 1e-4 * torch.rand(x.shape, dtype=x.dtype)
    save_file(weights, model / "model.safetensors")


def ours(folder, work, following, epochs):
    """Seconds of all blocks, of block 0, and the losses of every block by epoch."""
    data = f"{{name: self, samples: {work.samples}, length: {work.length}}}"
    sweep = folder / "bench.yaml"
    sweep.write_text(
        f"name: bench\nmodel: {{path: {folder}/mini, dtype: {work.dtype}}}\n"
        f"calibration: {{dataset: {data}, samples: {work.samples}, length: {work.length}}}\n"
        "method:\n  name: wkvquant\n  weight: {bits: 4, group_size: 128}\n  kv: {bits: 4}\n"
        f"  loss: {{following_blocks: {following}}}\n  training: {{epochs: {epochs}}}\n"
        f"evaluate:\n  - {{task: perplexity, dataset: {data}, windows: 1}}\n")
    subprocess.run([WKVQ, "--threads", str(THREADS), "run", sweep, "--results", folder / "results"], check=True,
                   capture_output=True)
    [path] = (folder / "results/bench").glob("*.h5")
    with h5py.File(path) as file:
        losses = [file[f"calibration/{name}/loss"][:].tolist() for name in sorted(file["calibration"])]
        seconds = file["cost"].attrs["seconds_blocks"], file["cost/block_00"].attrs["seconds"]
    path.unlink()
    return *seconds, losses


def theirs(folder, work):
    """Seconds and losses on the text that wkvq has sampled."""
    [path] = (folder / "results/.cache").glob("self-*.safetensors")
    tokens = load_file(path)["tokens"].long()
    eager = Eager(folder / "mini", tokens, {"bits": 4, "group": 128, "following": 5, "epochs": work.epochs})
    start = time.perf_counter()
    losses = eager.calibrate()
    return time.perf_counter() - start, losses


def differences(a, b):
    """The largest relative difference of two blocks' losses, by block."""
    return [max(abs(x - y) / y for x, y in zip(*curves, strict=True)) for curves in zip(a, b, strict=True)]


def calibration(folder, work):
    ratios, rows = [], []
    for _ in range(work.rounds):
        seconds, _, losses = ours(folder, work, 5, work.epochs)
        eager_seconds, eager_losses = theirs(folder, work)
        rows.append((seconds, eager_seconds))
        ratios.append(eager_seconds / seconds)
    seconds, eager_seconds = (statistics.median(x) for x in zip(*rows))
    print(f"mini, wkvquant W4KV4, k = 5: {work.samples} samples x {work.length} tokens, {work.epochs} epochs, "
          f"{work.dtype}, {THREADS} threads, {work.rounds} rounds in turn, medians")
    print(f"  eager PyTorch {torch.__version__}  {eager_seconds:8.2f} s")
    print(f"  wkvq                 {seconds:8.2f} s   {statistics.median(ratios):.2f}x faster "
          f"({min(ratios):.2f} to {max(ratios):.2f})")
    print("  loss by epoch, block: first -> last (wkvq), largest relative difference to eager")
    worst = differences(losses, eager_losses)
    for layer, (curve, difference) in enumerate(zip(losses, worst)):
        print(f"    {layer}: {curve[0]:.5f} -> {curve[-1]:.5f}   {difference:.1e}")
    return max(worst)


def step_cost(folder, work):
    """Block 0 with k = 5 and k = 0; what one epoch more takes is the cost of its steps alone."""
    few, many = 1, 1 + max(1, work.epochs // 5)
    steps = (many - few) * work.samples
    rows = []
    for _ in range(work.rounds):
        seconds = {k: [ours(folder, work, k, epochs)[1] for epochs in (few, many)] for k in (0, 5)}
        rows.append([(seconds[k][1] - seconds[k][0]) / steps for k in (0, 5)])
    near, far = (statistics.median(x) for x in zip(*rows))
    ratio, bound = statistics.median(b / a for a, b in rows), (3 + 2 * 5) / 3
    print(f"training step of block 0: k = 0 {1e3 * near:.1f} ms, k = 5 {1e3 * far:.1f} ms: {ratio:.2f}x; "
          f"(3 + 2k) / 3 = {bound:.2f}, of which it is {ratio / bound:.2f}")


def same_work(folder, work):
    """Both sides in float64 on little text."""
    torch.set_default_dtype(torch.float64)
    few = argparse.Namespace(samples=2, length=64, epochs=2, rounds=1, dtype="float64")
    worst = calibration(folder, few)
    torch.set_default_dtype(torch.float32)
    if worst > LIKE:
        raise SystemExit(f"the losses differ by {worst:.1e}: this is not the same work")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="only the proof that both sides do the same work")
    parser.add_argument("--rounds", type=int, default=3)
    work = parser.parse_args()
    work.samples, work.length, work.epochs, work.dtype = 32, 512, 10, "float32"
    torch.set_num_threads(THREADS)
    for part in (same_work,) if work.small else (same_work, calibration, step_cost):
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            without_ties(folder)
            part(folder, work)


if __name__ == "__main__":
    main()
