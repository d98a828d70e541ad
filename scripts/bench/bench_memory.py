#!/usr/bin/env python3
"""Peak resident memory of wkvq beside what `wkvq plan` prints, method by method, streaming and resident.

usage: scripts/bench/bench_memory.py [--model FOLDER] [--only PART] [--dtype float32] [--threads 2]
Without --model a checkpoint of 1.5 GB is generated (bfloat16, 24 blocks, random weights). Prints a Markdown table, and
fails where a peak is more than 1.3 times its plan. Needs Python's standard library only.
"""
import argparse
import array
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
WKVQ = ROOT / "build/wkvq"
MOST = 1.3

CALIBRATED = ("gptq", "awq", "omniquant", "wkvquant")
TRAINING = "training: {epochs: 1}"
SCORED = "evaluate: [{task: perplexity, dataset: *data, context: 256, windows: 8%s}]\n"
WRITTEN = ("evaluate: [{task: passkey, length: 128, items: 1, depths: [50], max_tokens: 8, engine: cache, "
           "storage: %s}]\n")
CASES = {
    "full precision": "method: {name: rtn}\n" + SCORED % "",
    "rtn": "method: {name: rtn, weight: {bits: 4, group_size: 128}, kv: {bits: 4}}\n" + SCORED % "",
    "rtn, KL": "method: {name: rtn, weight: {bits: 4, group_size: 128}, kv: {bits: 4}}\n" + SCORED % ", kl: true",
    "gptq": "method: {name: gptq, weight: {bits: 4, group_size: 128}}\n" + SCORED % "",
    "awq": "method: {name: awq, weight: {bits: 4, group_size: 128}, ratios: 4}\n" + SCORED % "",
    "omniquant": "method: {name: omniquant, weight: {bits: 4, group_size: 128}, %s}\n" % TRAINING + SCORED % "",
    "wkvquant": "method: {name: wkvquant, %s}\n" % TRAINING + SCORED % "",
    "generation": "method: {name: rtn, weight: {bits: 4, group_size: 128}, kv: {bits: 4}}\n" + WRITTEN % "simulated",
    "generation, packed": "method: {name: rtn, weight: {bits: 4, group_size: 128, scale_dtype: float16}, "
                          "kv: {bits: 4, group_size: 64, scale_dtype: float16}}\n" + WRITTEN % "packed",
    "pack": "method: {name: rtn, weight: {bits: 4, group_size: 128, scale_dtype: float16}, "
            "kv: {bits: 4, group_size: 64, scale_dtype: float16}}\n" + WRITTEN % "packed",
}


def bfloat16_noise(source, count):
    """Of 2^-7 to 2^-5 and either sign."""
    signs = bytes(0x3C | (byte & 0x80) for byte in range(256))
    values = bytearray(2 * count)
    values[0::2] = source.randbytes(count)
    values[1::2] = source.randbytes(count).translate(signs)
    return values


def generate_checkpoint(folder, hidden=1536, inner=4096, layers=24, heads=12, vocab=32000):
    config = dict(architectures=["LlamaForCausalLM"], model_type="llama", hidden_size=hidden, intermediate_size=inner,
                  num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=heads, vocab_size=vocab,
                  max_position_embeddings=2048, rms_norm_eps=1e-5, rope_theta=10000.0, hidden_act="silu",
                  tie_word_embeddings=True, torch_dtype="bfloat16", bos_token_id=1, eos_token_id=2)
    (folder / "config.json").write_text(json.dumps(config))
    linears = {"self_attn.q_proj": (hidden, hidden), "self_attn.k_proj": (hidden, hidden),
               "self_attn.v_proj": (hidden, hidden), "self_attn.o_proj": (hidden, hidden),
               "mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden), "mlp.down_proj": (hidden, inner)}
    shapes = {"model.embed_tokens.weight": (vocab, hidden)}
    for i in range(layers):
        shapes |= {f"model.layers.{i}.{name}.weight": shape for name, shape in linears.items()}
        shapes |= {f"model.layers.{i}.{name}.weight": (hidden,) for name in ("input_layernorm", "post_attention_layernorm")}
    shapes["model.norm.weight"] = (hidden,)
    header, end = {}, 0
    for name, shape in shapes.items():
        count = shape[0] * (shape[1] if len(shape) == 2 else 1)
        header[name] = dict(dtype="BF16", shape=shape, data_offsets=[end, end + 2 * count])
        end += 2 * count
    text = json.dumps(header).encode()
    source = random.Random(0)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for shape in shapes.values():
            if len(shape) == 1:
                file.write(b"\x80\x3f" * shape[0])
            for _ in range(shape[0] if len(shape) == 2 else 0):
                file.write(bfloat16_noise(source, shape[1]))


def add_tokenizer(folder):
    """The embedded model's: which text comes out is not looked at."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if not (folder / name).exists():
            shutil.copy(ROOT / "datasets/mini" / name, folder / name)


def write_tokens(path, count=65536, vocab=4096):
    source = random.Random(1)
    values = array.array("i", (source.randrange(3, vocab) for _ in range(count)))
    header = f"{{'descr': '<i4', 'fortran_order': False, 'shape': ({count},), }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + values.tobytes())


def sweep_text(case, model, tokens, residency, options):
    data = f"{{name: tokens, path: {tokens}}}"
    text = f"name: memory\nmodel: {{path: {model}, dtype: {options.dtype}, blocks: {residency}}}\n"
    if case in CALIBRATED:
        text += f"calibration: {{dataset: {data}, samples: {options.samples}, length: 256}}\n"
    return text + CASES[case].replace("*data", data)


def peak_of(command, log):
    """Of the process alone, in bytes."""
    with open(log, "w") as output:
        child = subprocess.Popen(command, stdout=output, stderr=output)
        _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"bench_memory: {' '.join(map(str, command))} failed:\n{pathlib.Path(log).read_text()}")
    return usage.ru_maxrss * 1024


def measure(case, residency, model, folder, options):
    sweep, results = folder / "memory.yaml", folder / "results"
    shutil.rmtree(results, ignore_errors=True)
    sweep.write_text(sweep_text(case, model, folder / "tokens.npy", residency, options))
    program = [WKVQ, "--threads", str(options.threads)]
    plan = subprocess.run([*program, "plan", sweep, "--results", results], check=True, capture_output=True, text=True)
    planned = float(re.search(r"([0-9.]+) GB", plan.stdout)[1]) * 1e9
    command = [*program, "run", sweep, "--results", results]
    if case == "pack":
        packed = folder / "packed.safetensors"
        packed.unlink(missing_ok=True)
        command = [*program, "pack", "--config", sweep, "--out", packed, "--results", results]
    return planned, peak_of(command, folder / "log")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, help="a model's folder; else a checkpoint is generated")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--residency", default="streaming,resident")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--samples", type=int, default=8, help="calibration windows of 256 tokens")
    options = parser.parse_args()
    worst = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        write_tokens(folder / "tokens.npy")
        model = options.model and options.model.resolve()
        if not model:
            model = folder / "generated"
            model.mkdir()
            generate_checkpoint(model)
            add_tokenizer(model)
        print("| method | blocks | plan, GB | peak, GB | peak / plan |\n| --- | --- | ---: | ---: | ---: |", flush=True)
        for case in CASES:
            if options.only not in case:
                continue
            for residency in options.residency.split(","):
                planned, peak = measure(case, residency, model, folder, options)
                worst = max(worst, peak / planned)
                print(f"| {case} | {residency} | {planned / 1e9:.2f} | {peak / 1e9:.2f} | {peak / planned:.2f} |",
                      flush=True)
    if worst > MOST:
        sys.exit(f"bench_memory: a peak is {worst:.2f} times its plan; expected at most {MOST}")


if __name__ == "__main__":
    main()
