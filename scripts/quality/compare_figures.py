#!/usr/bin/env python3
"""Compares two tables of `wkvq report --format csv`: compare_figures.py EXPECTED NEW [--write]

Rows are matched by everything that is no number of an evaluation (settings, KV modes). A number agrees where it lies
within the larger of both standard errors; one without a standard error where it is equal to 1e-9. --write keeps what
the comparison needs of NEW in EXPECTED. Exit code 1: a number differs or is missing."""

import csv
import math
import sys
from pathlib import Path

PARTS = ("stderr", "n", "metric", "dataset", "kv_mode", "convention")


def read(path):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    columns = list(rows[0]) if rows else []
    numbers = [name for name in columns if f"{name}.stderr" in columns]
    described = {f"{name}.{part}" for name in numbers for part in PARTS}
    keys = [name for name in columns if name not in numbers and name not in described]
    return rows, keys, numbers


def write(source, target):
    rows, keys, numbers = read(source)
    numbers = [name for name in numbers if not name.endswith(".spread")]
    columns = keys + [part for name in numbers for part in (name, f"{name}.stderr", f"{name}.n")]
    with open(target, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{target}: {len(rows)} rows written")


def agrees(expected, new, error):
    if error > 0:
        return abs(new - expected) <= error
    return math.isclose(new, expected, rel_tol=1e-9, abs_tol=1e-12) or (math.isnan(new) and math.isnan(expected))


def compare(expected_path, new_path):
    expected, keys, numbers = read(expected_path)
    new_rows, new_keys, _ = read(new_path)
    if keys != new_keys:
        sys.exit(f"{new_path}: columns {new_keys}; expected {keys}")
    found = {tuple(row[key] for key in keys): row for row in new_rows}
    bad = 0
    for row in expected:
        place = tuple(row[key] for key in keys)
        label = ", ".join(f"{key} {value}" for key, value in zip(keys, place) if value)
        for name in numbers:
            # A spread over draws has no standard error of its own.
            if row[name] == "" or name.endswith(".spread"):
                continue
            other = found.get(place, {}).get(name, "")
            if other == "":
                bad += 1
                print(f"MISSING  {label}: {name}")
                continue
            errors = [float(table[f"{name}.stderr"]) for table in (row, found[place])]
            error = max((value for value in errors if value > 0), default=0.0)
            was, now = float(row[name]), float(other)
            ok = agrees(was, now, error)
            bad += not ok
            distance = f"{(now - was) / error:+.3f} standard errors" if error else ""
            print(f"{'agrees ' if ok else 'DIFFERS'}  {label}: {name}: {was:.6g}, now {now:.6g} {distance}".rstrip())
    print(f"{len(expected)} rows, {bad} numbers differ")
    return 1 if bad else 0


def main():
    if len(sys.argv) not in (3, 4) or (len(sys.argv) == 4 and sys.argv[3] != "--write"):
        sys.exit(__doc__)
    if len(sys.argv) == 4:
        write(sys.argv[2], sys.argv[1])
        return 0
    if not Path(sys.argv[1]).exists():
        sys.exit(f"no figures in {sys.argv[1]} yet: compare {sys.argv[2]} with the table in docs/ablations.md, or --write")
    return compare(sys.argv[1], sys.argv[2])


if __name__ == "__main__":
    sys.exit(main())
