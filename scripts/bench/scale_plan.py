#!/usr/bin/env python3
"""What a sweep over a very large model takes, on paper: bytes from `wkvq plan`, seconds from its count of work.

usage: scripts/bench/scale_plan.py [--check] [--rate R] [--disk D] [--threads 2]
The models are folders with the headers of LLaMA-70B and -405B and no weights (sparse files): wkvq plans them as it
would the real ones. R: multiplications a second, D: GB a second from disk; both are measured on this machine where
they are not given. --check runs a model of about a hundredth of 70B's size and prints planned beside measured values.
"""
import argparse
import json
import pathlib
import re
import subprocess
import tempfile
import time

import h5py
from bench_memory import WKVQ, add_tokenizer, bfloat16_noise, write_tokens

SHAPES = {  # hidden, inner, blocks, heads, kv heads, vocabulary
    "70B": (8192, 28672, 80, 64, 8, 128256),
    "405B": (16384, 53248, 126, 128, 8, 128256),
    "0.7B": (1536, 5376, 20, 12, 4, 32000),
    "0.07B": (768, 2688, 8, 12, 4, 8192),
}
METHODS = {
    "full precision": "{name: rtn}",
    "rtn W4 KV4": "{name: rtn, weight: {bits: 4, group_size: 128}, kv: {bits: 4}}",
    "gptq W4 KV4": "{name: gptq, weight: {bits: 4, group_size: 128}, kv: {bits: 4}}",
    "wkvquant": "{name: wkvquant}",
}


def write_model(folder, name, weights):
    """A model's folder; without `weights` its file has the length and the header only."""
    hidden, inner, blocks, heads, kv_heads, vocab = SHAPES[name]
    width = hidden // heads
    config = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=hidden, intermediate_size=inner,
                  num_hidden_layers=blocks, num_attention_heads=heads, num_key_value_heads=kv_heads, vocab_size=vocab,
                  max_position_embeddings=8192, rms_norm_eps=1e-5, rope_theta=500000.0, hidden_act="silu",
                  tie_word_embeddings=False, torch_dtype="bfloat16", bos_token_id=1, eos_token_id=2)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    linears = {"self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (kv_heads * width, hidden),
               "self_attn.v_proj": (kv_heads * width, hidden), "self_attn.o_proj": (hidden, hidden),
               "mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden), "mlp.down_proj": (hidden, inner)}
    shapes = {"model.embed_tokens.weight": (vocab, hidden)}
    for i in range(blocks):
        shapes |= {f"model.layers.{i}.{part}.weight": shape for part, shape in linears.items()}
        shapes |= {f"model.layers.{i}.{part}.weight": (hidden,)
                   for part in ("input_layernorm", "post_attention_layernorm")}
    shapes |= {"model.norm.weight": (hidden,), "lm_head.weight": (vocab, hidden)}
    header, end = {}, 0
    for tensor, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) == 2 else 1)
        header[tensor] = dict(dtype="BF16", shape=shape, data_offsets=[end, end + 2 * count])
        end += 2 * count
    text = json.dumps(header).encode()
    with open(folder / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        if weights:
            import random
            source = random.Random(0)
            for shape in shapes.values():
                file.write(b"\x80\x3f" * shape[0] if len(shape) == 1 else bfloat16_noise(source, shape[0] * shape[1]))
        file.truncate(8 + len(text) + end)
    add_tokenizer(folder)
    return folder


def sweep(folder, model, method, windows, blocks="streaming"):
    data = f"{{name: tokens, path: {folder / 'tokens.npy'}}}"
    path = folder / "scale.yaml"
    calibration = "" if METHODS[method].startswith("{name: rtn") else \
        f"calibration: {{dataset: {data}, samples: {windows // 2 or 1}, length: 2048}}\n"
    path.write_text(f"name: scale\nmodel: {{path: {model}, blocks: {blocks}, dtype: float32}}\n"
                    f"method: {METHODS[method]}\n{calibration}evaluate:\n"
                    f"  - {{task: perplexity, dataset: {data}, context: 2048, windows: {windows}, kl: true}}\n")
    return path


def plan(folder, path):
    """Bytes of the process, multiplications by phase, bytes of the weights."""
    text = subprocess.run([WKVQ, "plan", path, "--phases", "--results", folder / "results"], check=True,
                          capture_output=True, text=True).stdout
    memory = float(re.search(r"([0-9.]+) GB", text)[1])
    phases = [float(number) for number in
              re.search(r"about: (\S+) calibration, (\S+) quantized text, (\S+) full precision, (\S+) scores", text).groups()]
    return memory, phases, float(re.search(r"scores; ([0-9.]+) GB", text)[1])


def run(folder, path, threads):
    """Seconds of blocks and of evaluation, peak bytes in GB, as the run file has them."""
    subprocess.run([WKVQ, "--threads", str(threads), "run", path, "--results", folder / "results", "--quiet", "--force"],
                   check=True, stdout=subprocess.DEVNULL)
    with h5py.File(next((folder / "results/scale").glob("*.h5"))) as file:
        cost = dict(file["cost"].attrs)
    for found in (folder / "results/scale").glob("*.h5"):
        found.unlink()
    return cost["seconds_blocks"], cost["seconds_evaluation"], cost["peak_bytes_host"] / 1e9


def disk_rate(path):
    """GB a second of reading the file once, from whatever cache it is in."""
    start = time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 24):
            pass
    return path.stat().st_size / 1e9 / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="run a hundredth of 70B, too")
    parser.add_argument("--rate", type=float, help="multiplications a second; else measured with 0.07B")
    parser.add_argument("--disk", type=float, help="GB a second; else measured")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--windows", type=int, default=64, help="of 2048 tokens that are evaluated")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_tokens(folder / "tokens.npy", count=2048 * 2 * options.windows)
        rate, disk = options.rate, options.disk
        if not rate or not disk:
            model = write_model(folder / "0.07B", "0.07B", True)
            path = sweep(folder, model, "rtn W4 KV4", 2)
            _, phases, _ = plan(folder, path)
            blocks, scores, _ = run(folder, path, options.threads)
            rate = rate or sum(phases) / (blocks + scores)
            disk = disk or disk_rate(model / "model.safetensors")
        print(f"{rate / 1e9:.1f} billion multiplications a second, {disk:.2f} GB a second from disk\n")
        if options.check:
            print("| 0.7B | planned GB | peak GB | planned s | measured s |\n| --- | ---: | ---: | ---: | ---: |")
            model = write_model(folder / "0.7B", "0.7B", True)
            for method in ("full precision", "rtn W4 KV4", "gptq W4 KV4"):
                path = sweep(folder, model, method, 2)
                memory, phases, stored = plan(folder, path)
                blocks, scores, peak = run(folder, path, options.threads)
                print(f"| {method} | {memory:.2f} | {peak:.2f} | {sum(phases) / rate:.0f} | {blocks + scores:.0f} |",
                      flush=True)
            print()
        print("| model | method | weights, GB | host memory, GB | reading, s | calibration, s | quantized text, s "
              "| full precision, s | scores, s |\n| --- | --- | " + "---: | " * 7)
        for size in ("70B", "405B"):
            model = write_model(folder / size, size, False)
            for method in METHODS:
                memory, phases, stored = plan(folder, sweep(folder, model, method, options.windows))
                print(f"| {size} | {method} | {stored:.0f} | {memory:.1f} | {stored / disk:.0f} | "
                      + " | ".join(f"{number / rate:.3g}" for number in phases) + " |", flush=True)


if __name__ == "__main__":
    main()
