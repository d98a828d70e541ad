"""Figures of run files as matplotlib figures, to go on with: axes, styles and panels of a paper.

For a file as it is there is `wkvq figure NAME RUNS... -o x.svg|png|pdf`, which needs no Python. Both draw the same
numbers; a test holds them together.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .compare import mean_over_windows
from .frames import varying_keys
from .read import PathLike, Run, load, rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FULL_PRECISION = 16

Curve = dict[str, Any]


def _panels(count: int) -> tuple["Figure", list["Axes"]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1 + 5 * count, 4))
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def is_full_precision(run: Run) -> bool:
    """True where everything that the method has bits for has 16 or more of them."""
    bits = [value for key, value in run["config"].items() if key.startswith("method.") and key.endswith(".bits")]
    return bool(bits) and all(isinstance(value, int) and value >= _FULL_PRECISION for value in bits)


def _by_model(found: Sequence[Any], run_of: Callable[[Any], Run]) -> dict[str, list[Any]]:
    models: dict[str, list[Any]] = {}
    for one in found:
        models.setdefault(Path(str(run_of(one)["config"]["model.path"])).name, []).append(one)
    return models


def _finished(paths: Sequence[PathLike]) -> list[Run]:
    return [run for run in map(load, paths) if run["status"] == "done"]


def curves(paths: Sequence[PathLike]) -> list[Curve]:
    """What task context_curve recorded, one entry per run and KV mode.

    Returns
    -------
    list of dict
        `run`, `mode`, and `buckets` in order of position, each with `first`, `last`, `rows` and `text`.
    """
    found = []
    for run in _finished(paths):
        buckets: dict[str, list[dict[str, Any]]] = {}
        for name, evaluation in run["evaluation"].items():
            if evaluation.get("task") != "context_curve" or not evaluation["metric"].startswith("nll_"):
                continue
            buckets.setdefault(evaluation["kv_mode"], []).append({
                "first": evaluation["first_position"],
                "last": evaluation["last_position"],
                "rows": rows(run["path"], name),
                "text": (evaluation["data_fingerprint"], evaluation["convention"]),
            })
        for mode, parts in buckets.items():
            parts.sort(key=lambda part: part["first"])
            found.append({"run": run, "mode": mode, "buckets": parts})
    return found


def increase(bucket: dict[str, Any], reference: dict[str, Any]) -> tuple[float, float]:
    """Mean increase of the NLL over the reference and its standard error, clustered by window."""
    one, exact = bucket["rows"], reference["rows"]
    for name in ("window", "position"):
        if not np.array_equal(one[name], exact[name]):
            raise ValueError("runs did not score the same tokens")
    return mean_over_windows(one["window"], one["nll"].astype(float) - exact["nll"].astype(float))


def _label(run: Run, varying: Sequence[str], *more: str) -> str:
    config = run["config"]
    return ", ".join([*(f"{key.removeprefix('method.')} {config[key]}" for key in varying if key in config), *more])


def _draw_curves(axes: "Axes", shown: list[Curve], exact: list[Curve]) -> None:
    varying = varying_keys([curve["run"] for curve in shown], "method.")
    for number, curve in enumerate(shown):
        text = [bucket["text"] for bucket in curve["buckets"]]
        reference = next((one for one in exact if [bucket["text"] for bucket in one["buckets"]] == text), None)
        if reference is None:
            raise ValueError(f"{curve['run']['run_id']}: no full-precision run on the same text")
        pairs = [increase(*both) for both in zip(curve["buckets"], reference["buckets"])]
        middle = [(bucket["first"] + bucket["last"]) / 2 for bucket in curve["buckets"]]
        width = curve["buckets"][0]["last"] - curve["buckets"][0]["first"] + 1
        # A little apart, so that error bars do not hide each other.
        shift = (number - (len(shown) - 1) / 2) * width / (3 * len(shown))
        values, errors = zip(*pairs)
        axes.errorbar(
            np.array(middle) + shift, values, yerr=errors, marker="o", markersize=3, capsize=2, linewidth=1.2,
            label=_label(curve["run"], varying, curve["mode"])
        )
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.set_xlabel("position in the context (tokens)")
    axes.legend(fontsize=8)


def context_curve(paths: Sequence[PathLike]) -> "Figure":
    """Increase of the NLL over full precision by position, one panel per model, one line per run and KV mode.

    Parameters
    ----------
    paths
        Run files of task `context_curve`, one of them in full precision.
    """
    models = _by_model(curves(paths), lambda curve: curve["run"])
    if not models:
        raise ValueError("no finished run with task context_curve among these")
    figure, panels = _panels(len(models))
    for axes, (model, found) in zip(panels, models.items()):
        exact = [curve for curve in found if is_full_precision(curve["run"])]
        shown = [curve for curve in found if not is_full_precision(curve["run"])]
        if not exact or not shown:
            raise ValueError(f"{model}: expected quantized runs and one in full precision (all bits 16)")
        _draw_curves(axes, shown, exact)
        axes.set_title(model)
    panels[0].set_ylabel("NLL increase over full precision\n(nats a token)")
    figure.tight_layout()
    return figure


def front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Places of the points (cost, loss) that no other point beats in both, by rising cost."""
    best, kept = float("inf"), []
    for place in sorted(range(len(points)), key=lambda i: points[i]):
        if points[place][1] < best:
            best = points[place][1]
            kept.append(place)
    return kept


def megabytes(run: Run) -> float:
    """Bytes of the linears and of a cache at the model's full context, / 1e6."""
    return float(run["cost"]["bytes_linears"] + run["cost"]["bytes_kv_cache"]) / 1e6


def _draw_front(axes: "Axes", found: list[Run], evaluation: str) -> None:
    shown = [run for run in found if not is_full_precision(run)]
    points = [(megabytes(run), float(run["evaluation"][evaluation]["value"])) for run in shown]
    best = front(points)
    varying = varying_keys(shown, "method.")
    middle = (min(points)[0] + max(points)[0]) / 2
    axes.plot(*zip(*(points[i] for i in best)), color="0.6", linewidth=0.8, zorder=1)
    for i, (run, (size, value)) in enumerate(zip(shown, points)):
        axes.errorbar(size, value, yerr=run["evaluation"][evaluation]["stderr"], marker="o", markersize=4, capsize=2,
                      color="C0" if i in best else "0.7", zorder=2)
        # Labels grow away from the nearer edge.
        left = size > middle
        axes.annotate(_label(run, varying), (size, value), textcoords="offset points", xytext=(-5, -9) if left else (5, 4),
                      ha="right" if left else "left", fontsize=7)
    axes.set_yscale("log")
    axes.margins(y=0.1)
    axes.set_xlabel("weights and cache at full context (MB)")


def pareto(paths: Sequence[PathLike], evaluation: str | None = None) -> "Figure":
    """Stored bytes against what is lost, with standard errors; runs that no other beats are joined.

    Parameters
    ----------
    paths
        Run files.
    evaluation
        Name of a KL divergence; default: the first that the runs have.
    """
    runs = _finished(paths)
    names = [name for run in runs for name, one in run["evaluation"].items() if one["metric"] == "kl"]
    evaluation = evaluation or (names[0] if names else None)
    models = _by_model([run for run in runs if evaluation in run["evaluation"] and not is_full_precision(run)],
                       lambda run: run)
    if evaluation is None or not models:
        raise ValueError(f"no quantized run with evaluation {evaluation or 'kl'!r} among these")
    figure, panels = _panels(len(models))
    for axes, (model, found) in zip(panels, models.items()):
        _draw_front(axes, found, evaluation)
        axes.set_title(model)
    panels[0].set_ylabel(f"{evaluation} (nats a token)")
    figure.tight_layout()
    return figure
