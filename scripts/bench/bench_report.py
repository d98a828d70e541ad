#!/usr/bin/env python3
"""Size and time of one page over a large sweep: makes a folder of run files from finished ones, writes the page, opens
it in headless Chromium. usage: bench_report.py RUNS_FOLDER [COUNT] (default 500), with Python of .venv (h5py).

Each copy has another value of one setting and other rows (1 % of noise), so that nothing in the page is equal by
chance. Wall-clock times depend on what else a machine does; processor times, of all processes of the browser less
those for an empty page, much less.
"""
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time

import h5py
import numpy

ROOT = pathlib.Path(__file__).resolve().parents[2]
WKVQ = ROOT / "build/wkvq"
ROUNDS = 5
# Milliseconds from the navigation to the end of the page's own scripts, to its load event, and for a change of the
# baseline.
PROBE = """<pre id="times"></pre><script>
const scripts = performance.now();
addEventListener("load", () => setTimeout(() => {
  const load = performance.getEntriesByType("navigation")[0].loadEventEnd, start = performance.now();
  const select = document.getElementById("baseline");
  if (select) { select.selectedIndex = 2; select.dispatchEvent(new Event("input")); document.body.offsetHeight; }
  document.getElementById("times").textContent = [scripts, load, performance.now() - start].join(" ");
}));
</script>"""


def vary(source, path, number, random):
    """Another run like that of `source`, without the seal of the program's own files."""
    with h5py.File(source, "r") as old, h5py.File(path, "w", track_order=True) as file:
        file.attrs.update({**old.attrs, "run_id": f"{old.attrs['run_id']}-copy{number}"})
        for name in old:
            old.copy(name, file)
        file["config"].attrs["method.copy"] = number
        for group in file["evaluation"].values():
            for name in ("nll", "kl"):
                if name in group:
                    rows = group[name][:]
                    group[name][:] = rows * (1 + 0.01 * random.standard_normal(rows.shape)).astype(rows.dtype)


def make_folder(source, target, count):
    files, random = sorted(source.rglob("*.h5")), numpy.random.default_rng(0)
    if not files:
        sys.exit(f"bench_report.py: no run files below {source}")
    for number in range(count):
        vary(files[number % len(files)], target / f"{number:04}.h5", number // len(files), random)
    return sum(path.stat().st_size for path in target.iterdir())


def timed(command):
    """Output, wall-clock and processor seconds of a command with all its processes."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    return done.stdout, wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def open_page(page, folder):
    """Milliseconds that PROBE noted, and processor seconds of the browser."""
    text, _, processor = timed(["chromium", "--headless", "--no-sandbox", "--disable-gpu",
                                f"--user-data-dir={folder}/profile", "--dump-dom", f"file://{page}"])
    found = re.search(r'<pre id="times">([^<]+)</pre>', text)
    return [float(one) for one in found.group(1).split()], processor


def middle(values):
    return sorted(values)[len(values) // 2]


def main():
    source, count = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 500
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        (folder / "runs").mkdir()
        size = make_folder(source, folder / "runs", count)
        _, wall, processor = timed([WKVQ, "report", folder / "runs", "--html", folder / "page.html"])
        page = (folder / "page.html").read_text()
        print(f"{count} run files, {size / 1e6:.0f} MB: page of {len(page.encode()) / 1e6:.2f} MB written in "
              f"{wall:.1f} s (processor {processor:.1f} s)")
        (folder / "probed.html").write_text(page + PROBE)
        (folder / "empty.html").write_text("<!doctype html><title>empty</title>" + PROBE)
        open_page(folder / "empty.html", folder)  # the profile is made
        opened, empty = [], []
        for _ in range(ROUNDS):
            opened.append(open_page(folder / "probed.html", folder))
            empty.append(open_page(folder / "empty.html", folder))
        for place, what in enumerate(("its scripts are done after", "loaded after", "another baseline takes")):
            times = sorted(one[0][place] / 1e3 for one in opened)
            print(f"{what} {middle(times):.2f} s of wall-clock time (median of {ROUNDS}; {times[0]:.2f} to {times[-1]:.2f})")
        print(f"processor time of the browser beyond an empty page: "
              f"{middle([one[1] for one in opened]) - middle([one[1] for one in empty]):.2f} s")


if __name__ == "__main__":
    main()
