"""Finished runs as runs of MLflow."""

import math

from .read import PathLike, Run, finished

_MOST_TEXT = 500  # of a parameter, in every store


def _parameters(run: Run) -> dict[str, str]:
    return {key: str(value)[:_MOST_TEXT] for key, value in run["config"].items() if key != "yaml"}


def _metrics(run: Run) -> dict[str, float]:
    """Numbers, their standard errors and counts, and costs; what is not finite is left out."""
    found: dict[str, float] = {}
    for name, evaluation in run["evaluation"].items():
        found[name] = float(evaluation["value"])
        found[f"{name}.stderr"] = float(evaluation["stderr"])
        found[f"{name}.n"] = float(evaluation["n"])
    for name, value in run["cost"].items():
        if isinstance(value, (int, float)):
            found[f"cost.{name}"] = float(value)
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _tags(run: Run) -> dict[str, str]:
    facts = {f"wkvq.{key}": str(value) for key, value in run.items()
             if key not in ("config", "evaluation", "cost", "path")}
    facts.update({f"wkvq.convention.{name}": f"{one.get('kv_mode', '')}: {one.get('convention', '')}"
                  for name, one in run["evaluation"].items()})
    return facts


def log_to_mlflow(folder: PathLike, *, experiment: str | None = None, tracking_uri: str | None = None,
                  files: bool = False) -> int:
    """Logs every finished run below a folder to MLflow; what is there already is not logged again.

    Parameters
    ----------
    folder
        Run files, one experiment per sweep.
    experiment
        One experiment for all instead.
    tracking_uri
        Of the store, e.g. `sqlite:///mlflow.db` or `http://host:5000`; default: MLflow's own.
    files
        Also keep each run file as an artifact.

    Returns
    -------
    int
        Runs that were logged now. Configuration keys become parameters; values, standard errors, counts and costs
        become metrics; conventions, KV modes and what computed the numbers become tags.
    """
    from mlflow.tracking import MlflowClient

    client, logged = MlflowClient(tracking_uri=tracking_uri), 0
    for run in finished(folder):
        name = experiment or run["sweep"]
        known = client.get_experiment_by_name(name)
        place = known.experiment_id if known else client.create_experiment(name)
        tags = _tags(run)
        # A run that was done again has another time of its end.
        same = " and ".join(f"tags.`{key}` = '{tags[key]}'" for key in ("wkvq.run_id", "wkvq.finished") if key in tags)
        if client.search_runs([place], same, max_results=1):
            continue
        made = client.create_run(place, run_name=run["run_id"], tags=tags).info.run_id
        for key, text in _parameters(run).items():
            client.log_param(made, key, text)
        for key, value in _metrics(run).items():
            client.log_metric(made, key, value)
        if files:
            client.log_artifact(made, run["path"])
        client.set_terminated(made, "FINISHED")
        logged += 1
    return logged
