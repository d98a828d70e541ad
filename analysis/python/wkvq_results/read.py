"""Reads wkvq run files (results/README.md) into plain Python and numpy."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import h5py
import numpy as np
import numpy.typing as npt

SCHEMA = "wkvq-run-1"
MERGED_SCHEMA = "wkvq-merged-1"

PathLike = str | os.PathLike[str]
Scalar = str | int | float
Columns = dict[str, npt.NDArray[Any]]


class Run(TypedDict):
    """One run without its raw rows. The other root attributes (`git`, `cpu`, `seconds`, ...) stand beside these."""

    run_id: str
    sweep: str
    status: str
    """`running`, `done` or `failed`."""
    schema: str
    path: str
    error: NotRequired[str]
    config: dict[str, Scalar]
    """The resolved configuration by dotted key (`method.kv.bits`), and `yaml`, the whole text."""
    evaluation: dict[str, dict[str, Any]]
    """By name: `metric`, `value`, `stderr`, `n`, `kv_mode`, `convention`, ..."""
    cost: dict[str, Any]


def _scalar(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _attributes(group: h5py.Group) -> dict[str, Any]:
    """Scalar attributes as str, int and float; text above 64 KiB lies in a dataset of its name."""
    found = {name: _scalar(value) for name, value in group.attrs.items()}
    for name, item in group.items():
        if isinstance(item, h5py.Dataset) and item.shape == () and h5py.check_string_dtype(item.dtype):
            found[name] = item.asstr()[()]
    return found


def _column(dataset: h5py.Dataset) -> npt.NDArray[Any]:
    return np.asarray(dataset.asstr()[:] if h5py.check_string_dtype(dataset.dtype) else dataset[()])


@contextmanager
def _open(path: PathLike) -> Iterator[h5py.Group]:
    """The groups of a run: of a file, or of a run in a merged file, named as if that were a folder."""
    inner = Path(path)
    if inner.parent.is_file():
        with h5py.File(inner.parent, "r") as file:
            yield file["runs"][inner.name]
    else:
        with h5py.File(path, "r") as file:
            yield file


def load(path: PathLike) -> Run:
    """One run without its raw rows.

    Parameters
    ----------
    path
        A run file (`results/<sweep>/<run id>.h5`), or a run in a merged one (`all.h5/<run id>`).

    Returns
    -------
    Run
        Root attributes beside `config`, `evaluation` and `cost`.

    Raises
    ------
    ValueError
        The file is no run file, or it is damaged.
    OSError
        It cannot be read.
    """
    with _open(path) as file:
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
        return run  # type: ignore[return-value]


def rows(path: PathLike, evaluation: str) -> Columns:
    """Raw rows of one evaluation.

    Parameters
    ----------
    path
        A run file.
    evaluation
        Its name, e.g. `perplexity.self.past`.

    Returns
    -------
    dict of str to ndarray, shape (rows,)
        One array per column, all of equal length. `pandas.DataFrame(rows(...))` works.
    """
    with _open(path) as file:
        group = file["evaluation"][evaluation]
        return {name: _column(data) for name, data in group.items() if data.ndim == 1}


def arrays(path: PathLike, group: str) -> Columns:
    """Every array of a group.

    Parameters
    ----------
    path
        A run file.
    group
        Its place in the file, e.g. `statistics/block_00/key` or `calibration/block_00/parameters`.
    """
    with _open(path) as file:
        return {
            name: _column(data) for name, data in file[group].items() if isinstance(data, h5py.Dataset)
        }


def _merged(path: Path) -> list[Path] | None:
    """The runs in a merged file; None where it is another."""
    try:
        with h5py.File(path, "r") as file:
            return [path / name for name in file["runs"]] if file.attrs.get("schema") == MERGED_SCHEMA else None
    except OSError:
        return None


def runs(folder: PathLike) -> list[Run]:
    """Every run below a folder, or in a merged file (`wkvq merge`), in the order of their paths.

    A file that cannot be read is warned about and left out. Merged files below a folder are passed over: their runs
    lie there, too.
    """
    root = Path(folder)
    if root.is_file():
        paths = _merged(root) or [root]
    else:
        paths = [path for path in sorted(root.rglob("*.h5")) if _merged(path) is None]
    found = []
    for path in paths:
        try:
            found.append(load(path))
        except (OSError, KeyError, ValueError, RuntimeError) as error:
            warnings.warn(f"{path} is left out: {error}", stacklevel=2)
    return found


def finished(folder: PathLike) -> list[Run]:
    """Every run below a folder, or in a merged file, that is done."""
    return [run for run in runs(folder) if run["status"] == "done"]
