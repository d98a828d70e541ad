"""Reads wkvq run files (results/README.md) into plain Python, numpy and, where wanted, pandas."""

import warnings
from pathlib import Path

import h5py

SCHEMA = "wkvq-run-1"


def _scalar(value):
    return value.item() if hasattr(value, "item") else value


def _attributes(group):
    """Scalar attributes as str, int and float; text above 64 KiB lies in a dataset of its name."""
    found = {name: _scalar(value) for name, value in group.attrs.items()}
    for name, item in group.items():
        if isinstance(item, h5py.Dataset) and item.shape == () and h5py.check_string_dtype(item.dtype):
            found[name] = item.asstr()[()]
    return found


def _column(dataset):
    return dataset.asstr()[:] if h5py.check_string_dtype(dataset.dtype) else dataset[()]


def load(path):
    """One run without its raw rows: root attributes beside config, evaluation and cost."""
    with h5py.File(path, "r") as file:
        run = _attributes(file)
        if run.get("schema") != SCHEMA:
            raise ValueError(f"{path}: schema {run.get('schema')!r}; expected {SCHEMA!r}")
        for name in ("run_id", "sweep", "status"):
            if name not in run:
                raise ValueError(f"{path}: no attribute {name!r}; damaged")
        run["path"] = str(path)
        run["config"] = _attributes(file["config"])
        run["evaluation"] = {
            name: _attributes(group) for name, group in file.get("evaluation", {}).items()
        }
        run["cost"] = _attributes(file["cost"]) if "cost" in file else {}
        return run


def rows(path, evaluation):
    """Raw rows of one evaluation, a numpy array a column: pandas.DataFrame(rows(...)) works."""
    with h5py.File(path, "r") as file:
        group = file["evaluation"][evaluation]
        return {name: _column(data) for name, data in group.items() if data.ndim == 1}


def paired(path, other, evaluation, column="nll"):
    """Mean over windows of `column` in run `path` minus that in run `other`, and its standard error.

    Both runs scored the same windows, so what makes a window hard cancels: far sharper than comparing two values."""
    import numpy

    first, second = rows(path, evaluation), rows(other, evaluation)
    for name in ("window", "position"):
        if not numpy.array_equal(first[name], second[name]):
            raise ValueError(f"{path} and {other} did not score the same tokens of {evaluation}")
    difference = first[column].astype(float) - second[column].astype(float)
    windows, index = numpy.unique(first["window"], return_inverse=True)
    means = numpy.bincount(index, difference) / numpy.bincount(index)
    return means.mean(), means.std(ddof=1) / numpy.sqrt(len(windows))


def arrays(path, group):
    """Every array of a group such as "statistics/block_00/key"."""
    with h5py.File(path, "r") as file:
        return {
            name: _column(data) for name, data in file[group].items() if isinstance(data, h5py.Dataset)
        }


def runs(folder):
    """Every run below a folder as load() gives it; a file that cannot be read is warned about and left out."""
    found = []
    for path in sorted(Path(folder).rglob("*.h5")):
        try:
            found.append(load(path))
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            warnings.warn(f"{path} is left out: {error}", stacklevel=2)
    return found


def frame(folder):
    """A pandas table of all finished runs below a folder, one row an evaluation: settings, costs ("cost.seconds_blocks",
    ...) and the evaluation's own attributes."""
    import pandas

    table = []
    for run in runs(folder):
        if run["status"] != "done":
            continue
        facts = {"run_id": run["run_id"], "sweep": run["sweep"]}
        facts.update({key: value for key, value in run["config"].items() if key != "yaml"})
        facts.update({f"cost.{key}": value for key, value in run["cost"].items()})
        for name, evaluation in run["evaluation"].items():
            table.append({**facts, "evaluation": name, **evaluation})
    return pandas.DataFrame(table)
