#!/usr/bin/env python3
"""Speed of the zero-shot tasks beside lm-evaluation-harness, as a ratio measured in turn on this machine. See
scripts/bench/bench_tasks.sh."""
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
WKVQ = ROOT / "build/wkvq"
ROUNDS = 3
THREADS = 2
LIMIT = 400
TASKS = {"piqa": "validation", "arc_easy": "test", "arc_challenge": "test", "hellaswag": "validation",
         "winogrande": "validation", "openbookqa": "test", "boolq": "validation", "copa": "validation",
         "lambada_openai": "test"}


def harness(model_path, data):
    """Runs in a process of its own: prints seconds and metrics of every round asked for on standard input. The model is
    loaded and the data sets are read before the first; a round makes the requests and answers them."""
    import lm_eval
    import torch
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    torch.set_num_threads(THREADS)
    model = HFLM(pretrained=model_path, dtype="float32", device="cpu", batch_size=16, max_length=512,
                 add_bos_token=False)
    manager = TaskManager()
    tasks = {}
    for name, split in TASKS.items():
        own = {"dataset_path": "json", "dataset_name": None, "training_split": None, "validation_split": None,
               "test_split": None, f"{split}_split": split,
               "dataset_kwargs": {"data_files": {split: str(data / f"{name}.jsonl")}}}
        index = manager.task_index
        tasks[name] = manager._factory.build(index[name], overrides=own, registry=index)  # no public call overrides data
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        results = lm_eval.evaluate(lm=model, task_dict=tasks, limit=LIMIT, bootstrap_iters=0)["results"]
        print(json.dumps([time.perf_counter() - start,
                          {name: {k.split(",")[0]: v for k, v in results[name].items() if k.split(",")[0] in
                                  ("acc", "acc_norm", "perplexity")} for name in TASKS}]), flush=True)


def ours(folder, model, data):
    """Seconds of the whole process, model and data read too, and the metrics."""
    sweep = folder / "tasks.yaml"
    entries = "".join(f"  - {{task: {name}, limit: {LIMIT}, name: {name}, view: {{mode: none}}}}\n" for name in TASKS)
    sweep.write_text(f"name: tasks\nmodel: {{path: {model}, dtype: float32}}\nmethod: {{name: rtn}}\n"
                     f"evaluate:\n{entries}")
    start = time.perf_counter()
    subprocess.run([WKVQ, "--threads", str(THREADS), "run", sweep, "--results", folder, "--data", data, "--force"],
                   check=True, capture_output=True)
    seconds = time.perf_counter() - start
    report = subprocess.run([WKVQ, "report", folder / "tasks", "--format", "json"], check=True, capture_output=True)
    values = json.loads(report.stdout)[0]["evaluation"]
    metrics = {name: {} for name in TASKS}
    for key, value in values.items():
        metric, name = key.split(".", 1)
        metrics[name][metric] = value["value"]
    return seconds, metrics


def main(shared):
    model, data = shared / "data/models/mini", shared / "data/tasks"
    other = subprocess.Popen([sys.executable, __file__, "harness", model, data], text=True, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    while other.stdout.readline().strip() != "ready":
        if other.poll() is not None:
            sys.exit("lm-evaluation-harness did not start")
    rounds = []
    with tempfile.TemporaryDirectory() as temporary:
        for _ in range(ROUNDS):
            other.stdin.write("\n")
            other.stdin.flush()
            seconds, theirs = json.loads(other.stdout.readline())
            own_seconds, own = ours(pathlib.Path(temporary), model, data)
            rounds.append((seconds, own_seconds))
            print(f"lm-evaluation-harness {seconds:.1f} s, wkvq {own_seconds:.1f} s (whole process), "
                  f"ratio {seconds / own_seconds:.2f}", flush=True)
    other.stdin.close()
    other.wait()
    for name in TASKS:
        differing = [m for m in ("acc", "acc_norm") if m in theirs[name] and m in own[name] and
                     abs(theirs[name][m] - own[name][m]) > 1e-12]
        print(f"{name:<16} {'equal' if not differing else 'DIFFERS: ' + ', '.join(differing)}  "
              f"{ {m: own[name].get(m) for m in theirs[name]} }")
    print(f"median ratio {statistics.median(a / b for a, b in rounds):.2f} over {ROUNDS} rounds, "
          f"{len(TASKS)} tasks, first {LIMIT} items, {THREADS} threads, float32, no quantization")


if __name__ == "__main__":
    if sys.argv[1] == "harness":
        harness(sys.argv[2], pathlib.Path(sys.argv[3]))
    else:
        main(pathlib.Path(sys.argv[1]))
