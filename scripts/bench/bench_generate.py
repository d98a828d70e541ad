#!/usr/bin/env python3
"""Writing speed and memory of packed weights and cache (W4KV4, packed once into a file) beside full precision (float32), run
in turn on a model of random weights with the shapes of TinyLlama 1.1B. Prints tokens a second, their ratio, and memory
beside the byte model. Where other work shares the processors, OMP_WAIT_POLICY=passive keeps threads from spinning.

usage: scripts/bench/bench_generate.py [--rounds 3] [--tokens 64] [--layers 22] [--threads 2]
"""
import argparse
import json
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
WKVQ = ROOT / "build/wkvq"
HIDDEN, INTERMEDIATE, HEADS, KV_HEADS, HEAD_DIM, VOCAB = 2048, 5632, 32, 4, 64, 32000
# Tokens that the tokenizer of the embedded model knows and that do not end a text.
FIRST_TOKEN, LAST_TOKEN = 3, 4096
PROMPT = "Once upon a time there was a little girl who lived in a house by the sea. " * 8
METHOD = """name: packed
model: {path: %s}
method:
  name: rtn
  weight: {bits: 4, group_size: 128, scale_dtype: float16}
  kv: {bits: 4, group_size: 64, scale_dtype: float16}
evaluate:
  - {task: passkey}
"""


def tensors(layers):
    """Names and shapes."""
    yield "model.embed_tokens.weight", (VOCAB, HIDDEN)
    for i in range(layers):
        block = f"model.layers.{i}."
        yield block + "input_layernorm.weight", (HIDDEN,)
        yield block + "post_attention_layernorm.weight", (HIDDEN,)
        for name, shape in (("q", (HEADS * HEAD_DIM, HIDDEN)), ("k", (KV_HEADS * HEAD_DIM, HIDDEN)),
                            ("v", (KV_HEADS * HEAD_DIM, HIDDEN)), ("o", (HIDDEN, HEADS * HEAD_DIM))):
            yield f"{block}self_attn.{name}_proj.weight", shape
        for name, shape in (("gate", (INTERMEDIATE, HIDDEN)), ("up", (INTERMEDIATE, HIDDEN)),
                            ("down", (HIDDEN, INTERMEDIATE))):
            yield f"{block}mlp.{name}_proj.weight", shape
    yield "model.norm.weight", (HIDDEN,)
    yield "lm_head.weight", (VOCAB, HIDDEN)


def random_halves(count):
    """float16 numbers of either sign with magnitudes from 2^-8 to 2^-5, as bytes."""
    data = bytearray(os.urandom(2 * count))
    exponents = [7, 8, 9, 9]  # of 15 - 8 .. 15 - 6
    data[1::2] = bytes(data[1::2]).translate(
        bytes((x & 0x80) | exponents[x >> 2 & 3] << 2 | x & 3 for x in range(256)))
    return bytes(data)


def write_model(folder, layers):
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN,
              "intermediate_size": INTERMEDIATE, "num_hidden_layers": layers, "num_attention_heads": HEADS,
              "num_key_value_heads": KV_HEADS, "head_dim": HEAD_DIM, "vocab_size": VOCAB,
              "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
              "tie_word_embeddings": False, "attention_bias": False, "mlp_bias": False, "torch_dtype": "float16"}
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(ROOT / "datasets/mini" / name, folder / name)
    header, at = {}, 0
    for name, shape in tensors(layers):
        size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pool = random_halves(48 << 20)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in tensors(layers):
            if len(shape) == 1:
                file.write(b"\x00\x3c" * shape[0])  # ones
                continue
            if name == "lm_head.weight":
                file.write(bytes(2 * FIRST_TOKEN * HIDDEN))
                file.write(pool[:2 * (LAST_TOKEN - FIRST_TOKEN) * HIDDEN])
                file.write(bytes(2 * (VOCAB - LAST_TOKEN) * HIDDEN))
                continue
            left = 2 * shape[0] * shape[1]
            while left:
                start = 2 * random.randrange(len(pool) // 4)
                part = memoryview(pool)[start:start + min(left, len(pool) // 2)]
                file.write(part)
                left -= len(part)


def generate(arguments, threads, tokens):
    """Tokens a second, bytes of weights and cache as held and by the formula, resident bytes at the end and at most."""
    command = [WKVQ, "--threads", str(threads), "generate", "--prompt", PROMPT, "--max-tokens", str(tokens), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    report = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(report)
    speed = float(re.search(r"written: \d+ tokens, ([\d.e+]+) tokens/s", report)[1])
    held = [int(x) for x in re.search(r"held: (\d+) bytes of weights, (\d+) by the formula; (\d+) bytes of the cache, "
                                      r"(\d+) by the formula; (\d+) bytes resident", report).groups()]
    return speed, held[:4], (held[4], usage.ru_maxrss * 1024)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--layers", type=int, default=22)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        write_model(folder, options.layers)
        config = folder / "packed.yaml"
        config.write_text(METHOD % folder)
        packed = folder / "model.packed"
        subprocess.run([WKVQ, "--threads", str(options.threads), "pack", "--config", config, "--out", packed], check=True,
                       stdout=subprocess.DEVNULL)
        ways = {"float32": ["--model", folder], "packed W4KV4": ["--packed", packed]}
        rounds = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, arguments in ways.items():
                rounds[name].append(generate(arguments, options.threads, options.tokens))
        print(f"load of the machine {os.getloadavg()[0]:.1f} over a minute, {os.cpu_count()} processors")
        for name, results in rounds.items():
            speeds = [speed for speed, _, _ in results]
            weights, weights_formula, cache, cache_formula = results[0][1]
            print(f"{name}: {statistics.median(speeds):.2f} tokens/s ({min(speeds):.2f} to {max(speeds):.2f}); weights "
                  f"{weights / 1e6:.1f} MB ({weights / weights_formula:.3f} of the byte model), cache {cache / 1e6:.2f} MB "
                  f"({cache / cache_formula:.2f}), both {(weights + cache) / (weights_formula + cache_formula):.3f}; "
                  f"resident size of the process {results[0][2][0] / 1e6:.0f} MB, at most {results[0][2][1] / 1e6:.0f} MB")
        ratios = [b[0] / a[0] for a, b in zip(*rounds.values())]
        print(f"packed writes {statistics.median(ratios):.2f} x as fast ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
