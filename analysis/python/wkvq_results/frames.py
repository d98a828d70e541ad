"""Tables of runs: pandas frames and xarray data sets."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .read import PathLike, Run, _open, arrays, finished, rows

if TYPE_CHECKING:
    import pandas
    import xarray


def frame(folder: PathLike) -> "pandas.DataFrame":
    """All finished runs below a folder, one row per evaluation.

    Parameters
    ----------
    folder
        Searched for run files with all folders below it; or one merged file (`wkvq merge`).

    Returns
    -------
    pandas.DataFrame
        `run_id`, `sweep`, every setting (`method.kv.bits`), every cost (`cost.seconds_blocks`), `evaluation` and
        its attributes (`metric`, `value`, `stderr`, `n`, `kv_mode`, `convention`, ...).
    """
    import pandas

    table = []
    for run in finished(folder):
        facts: dict[str, Any] = {"run_id": run["run_id"], "sweep": run["sweep"]}
        facts.update({key: value for key, value in run["config"].items() if key != "yaml"})
        facts.update({f"cost.{key}": value for key, value in run["cost"].items()})
        for name, evaluation in run["evaluation"].items():
            table.append({**facts, "evaluation": name, **evaluation})
    return pandas.DataFrame(table)


def index_frame(path: PathLike) -> "pandas.DataFrame":
    """The index of a merged file: one row per evaluation, read at once.

    Parameters
    ----------
    path
        A file of `wkvq merge`.

    Returns
    -------
    pandas.DataFrame
        `run_id`, `sweep`, `evaluation`, `metric`, `value`, `stderr`, `n`, `kv_mode`, `convention`, `dataset`, `task`,
        and as text every setting that differs between the runs.
    """
    import pandas

    return pandas.DataFrame(arrays(path, "index"))


def rows_frame(path: PathLike, evaluation: str) -> "pandas.DataFrame":
    """Raw rows of one evaluation as a frame: `window`, `position`, `nll` and so on."""
    import pandas

    return pandas.DataFrame(rows(path, evaluation))


def varying_keys(found: list[Run], prefix: str = "") -> list[str]:
    """Configuration keys that are not the same in all runs; of keys that vary alike the shortest one.

    Parameters
    ----------
    found
        Runs of one sweep.
    prefix
        Only keys that begin so, e.g. `method.`.
    """
    keys = {key for run in found for key in run["config"] if key != "yaml" and key.startswith(prefix)}
    by_values: dict[tuple[str, ...], str] = {}
    for key in sorted(keys, key=lambda key: (key.count("."), key)):
        values = tuple(str(run["config"].get(key)) for run in found)
        if len(set(values)) > 1:
            by_values.setdefault(values, key)
    return list(by_values.values())


def grid(folder: PathLike, evaluation: str) -> "xarray.Dataset":
    """One evaluation over the axes of a sweep.

    Parameters
    ----------
    folder
        Finished runs of one sweep.
    evaluation
        Name of the evaluation, e.g. `kl.self.past`.

    Returns
    -------
    xarray.Dataset
        `value`, `stderr` and `n` over one dimension per setting that varies; NaN where there is no run.

    Raises
    ------
    ValueError
        No run has the evaluation, or two runs have equal settings.
    """
    import pandas
    import xarray

    found = [run for run in finished(folder) if evaluation in run["evaluation"]]
    if not found:
        raise ValueError(f"{folder}: no finished run has evaluation {evaluation!r}")
    axes = varying_keys(found)
    table = pandas.DataFrame([
        {**{axis: run["config"].get(axis) for axis in axes},
         **{name: run["evaluation"][evaluation][name] for name in ("value", "stderr", "n")}}
        for run in found
    ])
    if not axes:
        return xarray.Dataset({name: table[name][0] for name in table})
    indexed = table.set_index(axes)
    if indexed.index.has_duplicates:
        raise ValueError(f"{folder}: runs of equal settings ({', '.join(axes)}); name the folder of one sweep")
    return xarray.Dataset.from_dataframe(indexed)


def channels(path: PathLike, side: str) -> "xarray.Dataset":
    """What the channels of keys or values look like, block by block.

    Parameters
    ----------
    path
        A run file.
    side
        `key` or `value`.

    Returns
    -------
    xarray.Dataset
        `min`, `max`, `mean` and `std` over `block` and `channel` (kv head by kv head).
    """
    import xarray

    if side not in ("key", "value"):
        raise ValueError(f"side {side!r}; expected 'key' or 'value'")
    with _open(path) as file:
        blocks = sorted(name for name, group in file.get("statistics", {}).items() if side in group)
    if not blocks:
        raise ValueError(f"{path}: no statistics of {side}")
    found = [arrays(path, f"statistics/{block}/{side}") for block in blocks]
    return xarray.Dataset(
        {
            name: (("block", "channel"), np.stack([one[name].ravel() for one in found]))
            for name in ("min", "max", "mean", "std")
        },
        coords={"block": [int(block.removeprefix("block_")) for block in blocks]},
    )
