#!/usr/bin/env python3
"""Writes tests/golden/mini_reference.json: perplexities of the embedded model under quantized weights and caches.

An implementation of its own, in float64 and token by token wherever the past is quantized, so that it shares no formula with
the C++ code. Development only (needs torch, safetensors and tokenizers): python scripts/make_reference_golden.py
"""
import json
import math
import pathlib

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "datasets/mini"
TEXT = """The lighthouse keeper counted the ships every evening. There were three in spring, seven in summer, and none at
all when the ice came. He wrote the numbers into a book that nobody read, because a number that is written down can be
found again. One night a boy climbed the stairs and asked him what the book was for. "For the day," said the keeper, "on
which somebody asks how many ships there were." The boy thought about it. Then he took the pencil, and they counted the
stars together until the lamp went out. """ * 2
LENGTH = 96


def form_b(x, bits):
    """Float minimum, one group along the last dimension."""
    low, high = x.amin(-1, keepdim=True), x.amax(-1, keepdim=True)
    n = 2**bits - 1
    scale = (high - low) / n
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    return torch.clamp(torch.round((x - low) / scale), 0, n) * scale + low


def form_a(w, bits, group):
    """Integer zero point, range includes zero, groups along the input."""
    out = []
    n = 2**bits - 1
    for part in w.split(group if group > 0 else w.shape[1], dim=1):
        low = part.amin(1, keepdim=True).clamp(max=0)
        high = part.amax(1, keepdim=True).clamp(min=0)
        scale = (high - low) / n
        zero = torch.round(-low / scale)
        out.append((torch.clamp(torch.round(part / scale) + zero, 0, n) - zero) * scale)
    return torch.cat(out, 1)


class Model:
    def __init__(self, weight_bits, group):
        self.config = json.loads((MODEL / "config.json").read_text())
        self.weights = {k: v.double() for k, v in load_file(MODEL / "model.safetensors").items()}
        if weight_bits < 16:
            for name in self.weights:
                if "proj" in name:
                    self.weights[name] = form_a(self.weights[name], weight_bits, group)

    def norm(self, x, name):
        return x / torch.sqrt((x * x).mean(-1, keepdim=True) + self.config["rms_norm_eps"]) * self.weights[name]

    def rotate(self, x, t):
        """x [heads, head_dim] at position t."""
        d = x.shape[-1]
        f = self.config["rope_theta"] ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
        c, s = torch.cos(t * f), torch.sin(t * f)
        a, b = x[:, : d // 2], x[:, d // 2 :]
        return torch.cat([a * c - b * s, b * c + a * s], -1)

    def window(self, tokens, attend):
        """NLL of tokens 1.. of one window; `attend(layer, t, q, k, v)` is the cache."""
        c = self.config
        heads, kv, d = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        nll = []
        for t, token in enumerate(tokens[:-1]):
            x = self.weights["model.embed_tokens.weight"][token]
            for i in range(c["num_hidden_layers"]):
                p = f"model.layers.{i}."
                w = lambda name: self.weights[p + name + ".weight"]
                h = self.norm(x, p + "input_layernorm.weight")
                q = self.rotate((w("self_attn.q_proj") @ h).view(heads, d), t)
                k = self.rotate((w("self_attn.k_proj") @ h).view(kv, d), t)
                v = (w("self_attn.v_proj") @ h).view(kv, d)
                x = x + w("self_attn.o_proj") @ attend(i, t, q, k, v).flatten()
                h = self.norm(x, p + "post_attention_layernorm.weight")
                gate = w("mlp.gate_proj") @ h
                x = x + w("mlp.down_proj") @ (gate * torch.sigmoid(gate) * (w("mlp.up_proj") @ h))
            logits = self.weights["model.embed_tokens.weight"] @ self.norm(x, "model.norm.weight")
            nll.append(-torch.log_softmax(logits, -1)[tokens[t + 1]].item())
        return nll


class Cache:
    """past: the newest `window` tokens and the first `sinks` exact; all: everything quantized."""

    def __init__(self, bits, mode="past", window=1, sinks=0):
        self.bits, self.mode, self.window_size, self.sinks = bits, mode, window, sinks
        self.exact = {}
        self.stored = {}

    def __call__(self, layer, t, q, k, v):
        exact = self.exact.setdefault(layer, [])
        stored = self.stored.setdefault(layer, [])
        exact.append((k, v))
        stored.append((form_b(k, self.bits), form_b(v, self.bits)) if self.bits < 16 else (k, v))
        seen = []
        for s in range(t + 1):
            if self.mode == "all":
                quantized = True
            else:
                quantized = self.sinks <= s <= t - self.window_size
            seen.append(stored[s] if quantized else exact[s])
        repeat = q.shape[0] // k.shape[0]
        out = []
        for head in range(q.shape[0]):
            keys = torch.stack([pair[0][head // repeat] for pair in seen])
            values = torch.stack([pair[1][head // repeat] for pair in seen])
            out.append(torch.softmax(keys @ q[head] / math.sqrt(q.shape[1]), 0) @ values)
        return torch.stack(out)


def main():
    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    ids = tokenizer.encode(" ".join(TEXT.split()), add_special_tokens=False).ids
    windows = [ids[i : i + LENGTH] for i in range(0, len(ids) - LENGTH + 1, LENGTH)]
    rows = [
        ("none", 16, -1, 16, {}),
        ("kv4 past", 16, -1, 4, {}),
        ("kv3 past", 16, -1, 3, {}),
        ("kv2 past", 16, -1, 2, {}),
        ("kv3 all", 16, -1, 3, {"mode": "all"}),
        ("kv2 past window 8 sinks 2", 16, -1, 2, {"window": 8, "sinks": 2}),
        ("w4 group 32", 4, 32, 16, {}),
        ("w3 row, kv3 past", 3, -1, 3, {}),
    ]
    table = {}
    with torch.no_grad():
        for name, weight_bits, group, kv_bits, view in rows:
            model = Model(weight_bits, group)
            nll = [x for window in windows for x in model.window(window, Cache(kv_bits, **view))]
            table[name] = math.exp(sum(nll) / len(nll))
            print(f"{name:30} {table[name]:.9f}")
    out = ROOT / "tests/golden/mini_reference.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"windows": windows, "perplexity": table}, indent=1) + "\n")


if __name__ == "__main__":
    main()
