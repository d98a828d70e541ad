"""python -m wkvq_results FIGURE RUNS... -o OUT"""

import argparse
import sys
from pathlib import Path

from .figures import FIGURES, save


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m wkvq_results", description="A figure of wkvq run files.")
    parser.add_argument("figure", choices=sorted(FIGURES))
    parser.add_argument("runs", nargs="+", type=Path, help="run files, or folders searched for *.h5")
    parser.add_argument("-o", "--out", required=True, type=Path, help=".svg, .pdf or .png")
    arguments = parser.parse_args()
    paths = [file for run in arguments.runs for file in (sorted(run.rglob("*.h5")) if run.is_dir() else [run])]
    try:
        save(FIGURES[arguments.figure](paths), arguments.out)
    except (ValueError, OSError, ImportError) as error:
        print(f"wkvq_results: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
