"""Paired differences to a baseline, draw by draw: what the tables of docs/ablations.md call a range over draws.

    python -m wkvq_results.over_draws RESULTS --baseline method.name=wkvquant --same method.kv.bits
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .compare import paired
from .frames import varying_keys
from .read import PathLike, Run, finished


class OverDraws(NamedTuple):
    """One setting's differences to the baseline."""

    setting: dict[str, str]
    """By the configuration keys that vary, the draw left out."""
    differences: list[float]
    """One a draw: mean over windows of the setting's column minus the baseline's."""
    stderr: float
    """The largest standard error of one of them."""


def _settings(run: Run, keys: Sequence[str]) -> dict[str, str]:
    return {key: str(run["config"].get(key, "")) for key in keys}


def paired_over_draws(folder: PathLike, evaluation: str, baseline: Mapping[str, str], *, same: Sequence[str] = (),
                      draws: str = "calibration.seed", column: str = "nll") -> list[OverDraws]:
    """Every setting of a sweep beside the baseline of the same draw.

    Parameters
    ----------
    folder
        Run files; only those that are done count.
    evaluation
        Name of an evaluation, e.g. `perplexity.self.past`.
    baseline
        Configuration keys and values that name the baseline.
    same
        Keys in which a setting and its baseline agree, e.g. `method.kv.bits`.
    draws
        The key whose values are draws. A run without it stands beside every draw.
    column
        `nll`, `kl` or `agree`.

    Raises
    ------
    ValueError
        No baseline, or more than one, for a setting and a draw; or runs that did not score the same tokens.
    """
    found = finished(folder)
    keys = [key for key in varying_keys(found) if key != draws]
    base = [run for run in found if all(str(run["config"].get(key)) == value for key, value in baseline.items())]
    differences: defaultdict[tuple[str, ...], list[tuple[float, float]]] = defaultdict(list)
    for run in found:
        if run in base:
            continue
        draw = run["config"].get(draws)
        beside = [one for one in base if draw in (None, one["config"].get(draws))
                  and _settings(one, same) == _settings(run, same)]
        if not beside or (draw is not None and len(beside) > 1):
            raise ValueError(f"{run['path']}: {len(beside)} runs are its baseline; expected one of {dict(baseline)}")
        setting = tuple(_settings(run, keys).values())
        differences[setting] += [paired(run["path"], one["path"], evaluation, column) for one in beside]
    return [OverDraws(dict(zip(keys, setting)), [mean for mean, _ in of], max(error for _, error in of))
            for setting, of in differences.items()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m wkvq_results.over_draws", description=__doc__.splitlines()[0])
    parser.add_argument("results", help="a folder of run files")
    parser.add_argument("--evaluation", required=True, help="e.g. perplexity.self.past")
    parser.add_argument("--baseline", required=True, nargs="+", metavar="KEY=VALUE")
    parser.add_argument("--same", nargs="*", default=[], metavar="KEY", help="keys in which both agree")
    parser.add_argument("--draws", default="calibration.seed", metavar="KEY")
    parser.add_argument("--column", default="nll", choices=("nll", "kl", "agree"))
    options = parser.parse_args()
    baseline = dict(item.split("=", 1) for item in options.baseline if "=" in item)
    if len(baseline) != len(options.baseline):
        parser.error("--baseline expects KEY=VALUE")
    try:
        found = paired_over_draws(options.results, options.evaluation, baseline, same=options.same,
                                  draws=options.draws, column=options.column)
    except (ValueError, KeyError, OSError) as error:
        print(f"wkvq_results: {error}", file=sys.stderr)
        return 2
    for one in found:
        setting = ", ".join(f"{key.removeprefix('method.')} {value}" for key, value in one.setting.items() if value)
        print(f"{setting}: {min(one.differences):.4f} to {max(one.differences):.4f} ({one.stderr:.4f}), "
              f"{len(one.differences)} draws")
    return 0


if __name__ == "__main__":
    sys.exit(main())
