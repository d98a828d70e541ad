#!/usr/bin/env python3
"""Speed and memory of the evaluation, as ratios measured in turn on this machine. See scripts/bench/bench_eval.sh."""
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
WKVQ = ROOT / "build/wkvq"
ROUNDS = 5
THREADS = 2


def transformers(model_path, tokens_path):
    """Runs in a process of its own: prints seconds and perplexity of every round asked for on standard input."""
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(THREADS)
    model = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32).eval()
    windows = load_file(tokens_path)["test"].long()
    print("ready", flush=True)
    with torch.no_grad():
        model(windows[:1])
        for _ in sys.stdin:
            start = time.perf_counter()
            total = 0.0
            for window in windows:
                logits = model(window[None]).logits[0, :-1]
                total += torch.nn.functional.cross_entropy(logits, window[1:], reduction="sum").item()
            count = windows.numel() - len(windows)
            print(time.perf_counter() - start, math.exp(total / count), windows.numel(), flush=True)


def ours(folder, model, data, entry, more=""):
    """Seconds of the blocks and the scoring of the fastest run, and its first value."""
    sweep = folder / "bench.yaml"
    sweep.write_text(
        f"name: bench\nmodel: {{path: {model}, dtype: float32}}\nmethod: {{name: rtn, kv: {{bits: 4}}}}\n"
        f"evaluate:\n  - {{task: perplexity, dataset: {data}, name: bench, {entry}}}\n{more}")
    subprocess.run([WKVQ, "--threads", str(THREADS), "run", sweep, "--results", folder / "results", "--force",
                    "--only", "*"], check=True, capture_output=True)
    report = subprocess.run([WKVQ, "report", folder / "results", "--format", "json"], check=True, capture_output=True)
    runs = json.loads(report.stdout)
    for path in (folder / "results/bench").glob("*.h5"):
        path.unlink()
    return min((run["cost"]["seconds_blocks"] + run["cost"]["seconds_evaluation"],
                run["evaluation"]["perplexity.bench"]["value"]) for run in runs)


def compare(shared, name):
    model, tokens = shared / "data/models" / name, shared / f"reference/{name}_tokens.safetensors"
    data = f"{{name: tokens, path: {tokens}, tensor: test}}"
    other = subprocess.Popen([sys.executable, __file__, "transformers", model, tokens], text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    other.stdout.readline()
    theirs, none, past = [], [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        for _ in range(ROUNDS):
            other.stdin.write("\n")
            other.stdin.flush()
            seconds, their_value, count = map(float, other.stdout.readline().split())
            theirs.append(seconds)
            seconds, our_value = ours(folder, model, data, "view: {mode: none}")
            none.append(seconds)
            past.append(ours(folder, model, data, "view: {mode: past}")[0])
    other.stdin.close()
    other.wait()
    rate = [count / statistics.median(x) for x in (theirs, none, past)]
    ratio = statistics.median(a / b for a, b in zip(theirs, none))
    slowdown = statistics.median(a / b for a, b in zip(past, none))
    print(f"{name}: float32, {THREADS} threads, {int(count)} tokens, {ROUNDS} rounds in turn, medians")
    print(f"  transformers  {rate[0]:9.0f} tokens/s   perplexity {their_value:.4f}")
    print(f"  wkvq none     {rate[1]:9.0f} tokens/s   perplexity {our_value:.4f}   {ratio:.2f}x transformers")
    print(f"  wkvq past     {rate[2]:9.0f} tokens/s   {slowdown:.2f}x the time of none")


def one_pass(shared):
    """All 32 windows in one pass, beside decoding: one sequence after the other, and two at a time as engine: cache does.

    The fastest of two runs of a sweep is taken: the model is loaded, the libraries are warm."""
    tokens = shared / "reference/mini_tokens.safetensors"
    data = f"{{name: tokens, path: {tokens}, tensor: test}}"
    warm = "sweep: {method.kv.bits: [3, 4]}\n"
    seconds = {"all": [], "one": [], "alone": [], "two": []}
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)

        def measure(name, windows, engine):
            entry = f"windows: {windows}, context: 512, view: {{mode: past}}, engine: {engine}"
            seconds[name].append(ours(folder, ROOT / "datasets/mini", data, entry, warm)[0] / windows)

        for _ in range(3):
            measure("all", 32, "one_pass")
            measure("one", 1, "cache")
            measure("alone", 1, "one_pass")
            measure("two", 2, "cache")
    middle = {name: statistics.median(x) for name, x in seconds.items()}
    print(f"mini, past, context 512: one pass {middle['all']:.4f} s a window (32 windows), decoding one sequence at a time "
          f"{middle['one']:.2f} s a window: {middle['one'] / middle['all']:.0f}x")
    print(f"  one window alone in one pass {middle['alone']:.4f} s: {middle['one'] / middle['alone']:.0f}x;  decoding two "
          f"sequences at a time {middle['two']:.2f} s a window: {middle['two'] / middle['all']:.0f}x")


def big_checkpoint(folder):
    """About 2 GB of float16 in 24 blocks, random weights."""
    import torch
    from safetensors.torch import save_file

    hidden, inner, layers, vocab = 1792, 4864, 24, 32000
    config = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=hidden, intermediate_size=inner,
                  num_hidden_layers=layers, num_attention_heads=14, num_key_value_heads=14, vocab_size=vocab,
                  max_position_embeddings=2048, rms_norm_eps=1e-5, rope_theta=10000.0, hidden_act="silu",
                  tie_word_embeddings=True, torch_dtype="float16")
    (folder / "config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    weight_map = {}

    def save(name, tensors):
        save_file({k: v.half() for k, v in tensors.items()}, folder / name)
        weight_map.update({k: name for k in tensors})

    save("model-embedding.safetensors", {"model.embed_tokens.weight": torch.randn(vocab, hidden) * 0.02,
                                         "model.norm.weight": torch.ones(hidden)})
    shapes = {"self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (hidden, hidden),
              "self_attn.v_proj": (hidden, hidden), "self_attn.o_proj": (hidden, hidden),
              "mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden), "mlp.down_proj": (hidden, inner)}
    for i in range(layers):
        block = {f"model.layers.{i}.{k}.weight": torch.randn(s) * 0.02 for k, s in shapes.items()}
        for norm in ("input_layernorm", "post_attention_layernorm"):
            block[f"model.layers.{i}.{norm}.weight"] = torch.ones(hidden)
        save(f"model-{i:02}.safetensors", block)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def memory():
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        subprocess.run([sys.executable, __file__, "big_checkpoint", folder], check=True)
        size = sum(f.stat().st_size for f in folder.glob("*.safetensors"))
        tokens = folder / "tokens.npy"
        import numpy
        numpy.save(tokens, numpy.random.default_rng(0).integers(0, 32000, (2, 128), dtype=numpy.int32))
        sweep = folder / "big.yaml"
        print(f"checkpoint of {size / 1e9:.2f} GB (float16, 24 blocks), streaming, computed in float32, a process each:")
        for name, method in (("full precision", "{name: rtn}"),
                             ("W4, groups of 128", "{name: rtn, weight: {bits: 4, group_size: 128}}")):
            sweep.write_text(f"name: big\nmodel: {{path: {folder}, blocks: streaming}}\nmethod: {method}\n"
                             f"evaluate:\n  - {{task: perplexity, dataset: {{name: tokens, path: {tokens}}}}}\n")
            results = folder / "results" / name.split(",")[0].replace(" ", "_")
            subprocess.run([WKVQ, "run", sweep, "--results", results], check=True, capture_output=True)
            report = json.loads(subprocess.run([WKVQ, "report", results, "--format", "json"], check=True,
                                               capture_output=True).stdout)
            cost = report[0]["cost"]
            print(f"  {name}: peak resident size {cost['peak_bytes_host'] / 1e9:.2f} GB, "
                  f"planned {cost['planned_bytes_host'] / 1e9:.2f} GB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["transformers"]:
        transformers(*sys.argv[2:])
    elif sys.argv[1:2] == ["big_checkpoint"]:
        big_checkpoint(pathlib.Path(sys.argv[2]))
    else:
        shared_folder = pathlib.Path(sys.argv[1]).resolve()
        for model_name in ("mini", "stories260K"):
            compare(shared_folder, model_name)
        one_pass(shared_folder)
        memory()
