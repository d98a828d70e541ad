"""Run files of wkvq in Python: numpy, pandas, xarray, paired tests, figures, MLflow.

The files are described in results/README.md of the sources. Importing this package needs h5py and numpy alone; what
needs more imports it when called.
"""

from .compare import Comparison, McNemar, PairedDifference, compare, mcnemar, paired, paired_difference
from .figures import context_curve, pareto
from .frames import channels, frame, grid, index_frame, rows_frame
from .read import MERGED_SCHEMA, SCHEMA, Run, arrays, load, rows, runs
from .tracking import log_to_mlflow

__all__ = [
    "MERGED_SCHEMA", "SCHEMA", "Comparison", "McNemar", "PairedDifference", "Run", "arrays", "channels", "compare",
    "context_curve", "frame", "grid", "index_frame", "load", "log_to_mlflow", "mcnemar", "paired", "paired_difference",
    "pareto", "rows", "rows_frame", "runs",
]
