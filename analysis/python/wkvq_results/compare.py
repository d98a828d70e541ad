"""Paired differences of two runs, as `wkvq compare` computes them (tests hold both to 1e-12)."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .read import Columns, PathLike, Run, load, rows

Numbers = npt.NDArray[np.float64]

_MOST_EXACT = 1000  # discordant pairs of the exact test
_TAIL = 0.025
_CHUNK = 1 << 22  # draws of the bootstrap at once


@dataclass(frozen=True)
class PairedDifference:
    """Second minus first of two ratios sum(values) / sum(weights) over the same clusters."""

    value: float
    stderr: float
    """sqrt(W / (W - 1) sum (d_i - D w_i)^2) / sum w_i over W clusters; NaN where W is 1."""
    interval: tuple[float, float]
    """95 % interval of the bootstrap over clusters; NaN where W is 1."""


@dataclass(frozen=True)
class McNemar:
    """McNemar's test of two classifiers on the same items."""

    right_to_wrong: int
    wrong_to_right: int
    p: float
    """Two-sided."""
    test: str
    """`exact binomial` up to 1000 discordant pairs, above `chi-square, continuity-corrected`."""


@dataclass(frozen=True)
class Comparison:
    """One evaluation of two runs, second minus first."""

    name: str
    """Of the first run's evaluation."""
    metric: str
    kv_modes: tuple[str, str]
    unit: str
    """What the difference is in: nats a token, share of items, ..."""
    means: tuple[float, float]
    """In that unit, over the paired rows."""
    difference: float
    stderr: float
    interval: tuple[float, float]
    cluster: str
    clusters: int
    mcnemar: McNemar | None = None
    """Where items are right or wrong."""
    right_to_wrong: list[str] = field(default_factory=list)
    wrong_to_right: list[str] = field(default_factory=list)


class _MersenneTwister64:
    """std::mt19937_64: the same seed gives the same draws as in C++ (numpy has the 32-bit one)."""

    _N, _M = 312, 156
    _UPPER = np.uint64(0xFFFFFFFF80000000)
    _LOWER = np.uint64(0x7FFFFFFF)
    _A = np.uint64(0xB5026F5AA96619E9)

    def __init__(self, seed: int) -> None:
        state = [seed & 0xFFFFFFFFFFFFFFFF]
        for i in range(1, self._N):
            state.append((6364136223846793005 * (state[-1] ^ (state[-1] >> 62)) + i) & 0xFFFFFFFFFFFFFFFF)
        self._state = np.array(state, dtype=np.uint64)
        self._left = np.empty(0, dtype=np.uint64)

    def _mixed(self, high: npt.NDArray[np.uint64], low: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        word = (high & self._UPPER) | (low & self._LOWER)
        return (word >> np.uint64(1)) ^ np.where(word & np.uint64(1), self._A, np.uint64(0))

    def _next_block(self) -> npt.NDArray[np.uint64]:
        x, m = self._state, self._M
        x[:m] = x[m:] ^ self._mixed(x[:m], x[1:m + 1])
        x[m:-1] = x[:m - 1] ^ self._mixed(x[m:-1], x[m + 1:])
        x[-1:] = x[m - 1:m] ^ self._mixed(x[-1:], x[:1])
        y = x.copy()
        y ^= (y >> np.uint64(29)) & np.uint64(0x5555555555555555)
        y ^= (y << np.uint64(17)) & np.uint64(0x71D67FFFEDA60000)
        y ^= (y << np.uint64(37)) & np.uint64(0xFFF7EEE000000000)
        return y ^ (y >> np.uint64(43))

    def draw(self, count: int) -> npt.NDArray[np.uint64]:
        """The next `count` numbers of 64 bits."""
        parts, have = [self._left], self._left.size
        while have < count:
            parts.append(self._next_block())
            have += self._N
        whole = np.concatenate(parts)
        self._left = whole[count:]
        return whole[:count]


def _bootstrap_ratios(differences: Numbers, weights: Numbers, samples: int, seed: int) -> Numbers:
    """Sorted ratios of `samples` draws of whole clusters with replacement."""
    random, clusters = _MersenneTwister64(seed), differences.size
    ratios, left = [], samples
    while left > 0:
        count = min(left, max(1, _CHUNK // clusters))
        drawn = (random.draw(count * clusters) % np.uint64(clusters)).astype(np.intp).reshape(count, clusters)
        weight = weights[drawn].sum(axis=1)
        ratios.append(differences[drawn].sum(axis=1)[weight > 0] / weight[weight > 0])
        left -= count
    return np.sort(np.concatenate(ratios)) if ratios else np.empty(0)


def paired_difference(first: npt.ArrayLike, second: npt.ArrayLike, weight: npt.ArrayLike, *, samples: int = 10000,
                      seed: int = 0) -> PairedDifference:
    """Difference second - first of two ratios of sums over the same clusters, with its standard error.

    What makes a cluster hard for both runs cancels, so this is far sharper than comparing two values.

    Parameters
    ----------
    first, second : array_like, shape (clusters,)
        Sums over each cluster (window, document or item).
    weight : array_like, shape (clusters,)
        Its tokens, words or bytes; 1 for an item.
    samples, seed
        Of the percentile bootstrap over clusters.
    """
    weights = np.asarray(weight, dtype=float)
    differences = np.asarray(second, dtype=float) - np.asarray(first, dtype=float)
    value, clusters = float(differences.sum() / weights.sum()), differences.size
    if clusters < 2:
        return PairedDifference(value, math.nan, (math.nan, math.nan))
    squares = float(((differences - value * weights) ** 2).sum())
    stderr = math.sqrt(clusters / (clusters - 1) * squares) / float(weights.sum())
    ratios = _bootstrap_ratios(differences, weights, samples, seed)
    if ratios.size == 0 or math.isnan(value):
        return PairedDifference(value, stderr, (math.nan, math.nan))
    low, high = np.quantile(ratios, [_TAIL, 1 - _TAIL])
    return PairedDifference(value, stderr, (float(low), float(high)))


def mcnemar(right_to_wrong: int, wrong_to_right: int) -> McNemar:
    """McNemar's test: are items lost and gained equally often?

    Parameters
    ----------
    right_to_wrong, wrong_to_right
        Items that the first run got right and the second wrong, and the other way round.
    """
    pairs = right_to_wrong + wrong_to_right
    if pairs <= _MOST_EXACT:
        ways = sum(math.comb(pairs, k) for k in range(min(right_to_wrong, wrong_to_right) + 1))
        # Whole numbers of any size divide exactly rounded.
        return McNemar(right_to_wrong, wrong_to_right, min(1.0, 2 * ways / 2**pairs), "exact binomial")
    distance = max(0, abs(right_to_wrong - wrong_to_right) - 1)
    return McNemar(right_to_wrong, wrong_to_right, math.erfc(math.sqrt(distance**2 / pairs / 2)),
                   "chi-square, continuity-corrected")


class _NoRowsError(ValueError):
    """An evaluation has no rows that can be paired: medians, what llama.cpp prints."""

    def __init__(self) -> None:
        super().__init__("no raw rows that can be paired")


def _values(columns: Columns, metric: str) -> tuple[str, Numbers]:
    """What is compared, and where it comes from: the first of these that there is."""
    if "correct" in columns:
        return "correct", columns["correct"].astype(float)
    if "prediction" in columns and "label" in columns:
        return "correct", (columns["prediction"] == columns["label"]).astype(float)
    if "ll" in columns and metric == "perplexity":
        return "nll", -columns["ll"].astype(float)
    for column, name in (("greedy", "correct"), ("score", "score"), ("nll", "nll"), ("kl", "kl"), ("agree", "agree")):
        if column in columns:
            return name, columns[column].astype(float)
    raise _NoRowsError()


def _check_same(first: dict[str, Any], second: dict[str, Any], a: Columns, b: Columns) -> None:
    for key in ("data_fingerprint", "convention"):
        if not first.get(key) or first.get(key) != second.get(key):
            raise ValueError(f"not the same {key}: {first.get(key)!r} and {second.get(key)!r}")
    for key in ("part", "item", "document", "window", "position", "label", "words", "bytes"):
        if key in a and (key not in b or not np.array_equal(a[key], b[key])):
            raise ValueError(f"the runs differ in column {key!r}: not the same tokens or items")


def _cluster_names(columns: Columns, cluster: str) -> npt.NDArray[Any]:
    if cluster != "item" or "part" not in columns:
        return columns[cluster]
    return np.array([f"{part}/{item}" for part, item in zip(columns["part"], columns["item"])], dtype=object)


def _unit(value: str, metric: str, weight: str) -> str:
    if metric == "bits_per_byte":
        return "bits a byte"
    if value in ("nll", "kl"):
        return f"nats a {weight}"
    return "score" if value == "score" else f"share of {weight}s"


def _compare_rows(name: str, first: dict[str, Any], second: dict[str, Any], a: Columns, b: Columns,
                  samples: int, seed: int) -> Comparison:
    _check_same(first, second, a, b)
    value, values = _values(a, first["metric"])
    _, others = _values(b, second["metric"])
    cluster = next((name for name in ("item", "document", "window") if name in a), None)
    if cluster is None or values.size == 0:
        raise _NoRowsError()
    weight, unit = np.ones(values.size), "item" if cluster == "item" else "token"
    for column, what in (("words", "word"), ("bytes", "byte")):
        if column in a:
            weight, unit = a[column].astype(float), what
    names = _cluster_names(a, cluster)
    _, start, place = np.unique(names.astype(str), return_index=True, return_inverse=True)
    # Clusters in order of their first row, which the draws of the bootstrap follow.
    order = np.argsort(np.argsort(start))
    index = order[place]
    sums = [np.bincount(index, column) for column in (values, others, weight)]
    if value == "correct" and start.size != values.size:
        raise ValueError("an item occurs twice")
    found = paired_difference(*sums, samples=samples, seed=seed)
    scale = math.log(2) if first["metric"] == "bits_per_byte" else 1.0
    lost = [str(one) for one in names[(values > 0) & ~(others > 0)]] if value == "correct" else []
    gained = [str(one) for one in names[~(values > 0) & (others > 0)]] if value == "correct" else []
    return Comparison(
        name=name, metric=first["metric"], kv_modes=(first["kv_mode"], second["kv_mode"]),
        unit=_unit(value, first["metric"], unit),
        means=(float(sums[0].sum() / sums[2].sum() / scale), float(sums[1].sum() / sums[2].sum() / scale)),
        difference=found.value / scale, stderr=found.stderr / scale,
        interval=(found.interval[0] / scale, found.interval[1] / scale), cluster=cluster, clusters=int(start.size),
        mcnemar=mcnemar(len(lost), len(gained)) if value == "correct" else None,
        right_to_wrong=lost, wrong_to_right=gained)


def _done(path: PathLike) -> Run:
    run = load(path)
    if run["status"] != "done":
        raise ValueError(f"{path}: status {run['status']}; expected a run that is done")
    return run


def compare(first: PathLike, second: PathLike, evaluation: str | None = None, *, samples: int = 10000,
            seed: int = 0) -> list[Comparison]:
    """Paired differences of two runs, evaluation by evaluation, second minus first.

    Parameters
    ----------
    first, second
        Run files. Evaluations of one name are paired; `wkvq compare` also pairs other KV modes.
    evaluation
        Only this one; default: all that both runs have with raw rows (medians and quantiles have none).
    samples, seed
        Of the bootstrap.

    Raises
    ------
    ValueError
        A run is not done, has no such evaluation, or the runs did not score the same rows.
    """
    one, two = _done(first), _done(second)
    names = [evaluation] if evaluation else [name for name in one["evaluation"] if name in two["evaluation"]]
    found = []
    for name in names:
        for run in (one, two):
            if name not in run["evaluation"]:
                raise ValueError(f"{run['path']}: no evaluation {name!r}")
        columns = rows(first, name)
        if evaluation is None and not columns:
            continue
        try:
            found.append(_compare_rows(name, one["evaluation"][name], two["evaluation"][name], columns,
                                       rows(second, name), samples, seed))
        except _NoRowsError:
            if evaluation is not None:
                raise
        except ValueError as error:
            raise ValueError(f"{first} and {second}, {name}: {error}") from None
    return found


def paired(path: PathLike, other: PathLike, evaluation: str, column: str = "nll") -> tuple[float, float]:
    """Mean over windows of `column` in run `path` minus that in run `other`, and its standard error.

    Parameters
    ----------
    path, other
        Run files that scored the same windows.
    evaluation
        Name of an evaluation that both have, with columns `window` and `position`.
    column
        `nll`, `kl` or `agree`.

    Raises
    ------
    ValueError
        The runs did not score the same tokens.
    """
    first, second = rows(path, evaluation), rows(other, evaluation)
    for name in ("window", "position"):
        if not np.array_equal(first[name], second[name]):
            raise ValueError(f"{path} and {other} did not score the same tokens of {evaluation}")
    return mean_over_windows(first["window"], first[column].astype(float) - second[column].astype(float))


def mean_over_windows(window: npt.NDArray[Any], values: Numbers) -> tuple[float, float]:
    """Mean of the windows' means and its standard error."""
    windows, index = np.unique(window, return_inverse=True)
    means = np.bincount(index, values) / np.bincount(index)
    return float(means.mean()), float(means.std(ddof=1) / np.sqrt(len(windows)))
