#!/usr/bin/env python3
"""Writes tests/golden/models: one tiny random checkpoint for every family and feature.

Development only; needs torch, safetensors and transformers 4.57. Each folder holds config.json,
model*.safetensors and golden.safetensors with `tokens` [batch, seq], `logits_f32` as Hugging Face
transformers computes them and `logits_f64` of the same model in float64 throughout: transformers
fixes RMSNorm statistics and rotary frequencies at float32, so both are replaced for that pass.

usage: scripts/make_family_fixtures.py [OUTPUT_FOLDER]
"""

import copy
import json
import math
import pathlib
import shutil
import sys

import torch
import transformers
from safetensors.torch import save_file

SMALL = dict(
    vocab_size=64,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=4,
    max_position_embeddings=64,
    rms_norm_eps=1e-5,
    bos_token_id=1,
    eos_token_id=2,
)
LLAMA3 = dict(
    rope_type="llama3",
    factor=8.0,
    low_freq_factor=1.0,
    high_freq_factor=4.0,
    original_max_position_embeddings=16,
)

# name: (config class, what differs from SMALL, sequence length, stored dtype, shards)
FIXTURES = {
    "llama_mha": ("Llama", dict(rms_norm_eps=1e-6), 24, "float32", 1),
    "llama_gqa_head_dim": ("Llama", dict(num_key_value_heads=2, head_dim=12), 24, "float16", 1),
    "llama_mqa": ("Llama", dict(num_key_value_heads=1), 24, "float16", 1),
    "llama_llama3": (
        "Llama",
        dict(num_key_value_heads=2, rope_theta=500000.0, rope_scaling=LLAMA3, head_dim=16),
        48,
        "float16",
        1,
    ),
    "llama_linear": (
        "Llama",
        dict(rope_scaling=dict(rope_type="linear", factor=4.0)),
        24,
        "bfloat16",
        1,
    ),
    "llama_dynamic": (
        "Llama",
        dict(rope_scaling=dict(type="dynamic", factor=2.0), max_position_embeddings=16),
        40,
        "float16",
        1,
    ),
    "llama_bias": ("Llama", dict(attention_bias=True, mlp_bias=True), 24, "float32", 1),
    "tinyllama_tied": (
        "Llama",
        dict(num_key_value_heads=2, tie_word_embeddings=True, rope_theta=100000.0),
        24,
        "bfloat16",
        1,
    ),
    "mistral_window": ("Mistral", dict(num_key_value_heads=2, sliding_window=8), 32, "float16", 1),
    "qwen2_tied": (
        "Qwen2",
        dict(num_key_value_heads=2, tie_word_embeddings=True, rope_theta=1000000.0),
        24,
        "float32",
        1,
    ),
    "qwen2_window": (
        "Qwen2",
        dict(num_hidden_layers=3, use_sliding_window=True, sliding_window=6, max_window_layers=1),
        32,
        "float16",
        1,
    ),
    "qwen3": (
        "Qwen3",
        dict(num_key_value_heads=2, head_dim=16, rope_theta=1000000.0),
        24,
        "float16",
        1,
    ),
    "llama_sharded_bf16": ("Llama", dict(num_key_value_heads=2), 24, "bfloat16", 2),
    "qwen3_sharded_f16": (
        "Qwen3",
        dict(num_key_value_heads=2, head_dim=8, attention_bias=True),
        24,
        "float16",
        3,
    ),
}


def exact_inverse_frequencies(config):
    """The definitions of transformers' modeling_rope_utils in float64."""
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    scaling = getattr(config, "rope_scaling", None) or {}
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    theta = config.rope_theta
    if kind == "dynamic":
        ratio = config.golden_length / config.max_position_embeddings
        theta *= (scaling["factor"] * ratio - (scaling["factor"] - 1)) ** (dim / (dim - 2))
    inverse = theta ** -(torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    if kind == "linear":
        inverse = inverse / scaling["factor"]
    if kind == "llama3":
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        turns = scaling["original_max_position_embeddings"] * inverse / (2 * math.pi)
        smooth = ((turns - low) / (high - low)).clamp(0, 1)
        inverse = (1 - smooth) * inverse / scaling["factor"] + smooth * inverse
    return inverse


class ExactRotary(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.register_buffer("inverse", exact_inverse_frequencies(config), persistent=False)

    def forward(self, x, position_ids):
        angle = position_ids[:, :, None].double() * self.inverse
        angle = torch.cat((angle, angle), dim=-1)
        return angle.cos(), angle.sin()


class ExactNorm(torch.nn.Module):
    def __init__(self, norm):
        super().__init__()
        self.weight, self.eps = norm.weight, norm.variance_epsilon

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


def make_exact(model):
    """The model in float64 with nothing left at float32 (SDPA keeps the input's dtype)."""
    model = model.double()
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child).__name__.endswith("RMSNorm"):
                setattr(parent, name, ExactNorm(child))
            elif type(child).__name__.endswith("RotaryEmbedding"):
                setattr(parent, name, ExactRotary(model.config))
    return model


def randomize(model, generator, dtype):
    """Weights large enough that every part shows in the logits, exact in `dtype`."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name:
            parameter.data = 1 + 0.2 * noise
        elif name.endswith("bias"):
            parameter.data = 0.3 * noise
        elif "q_proj" in name or "k_proj" in name:
            parameter.data = noise * 1.5 / math.sqrt(parameter.shape[1])
        else:
            parameter.data = noise / math.sqrt(parameter.shape[-1])
        parameter.data = parameter.data.to(dtype).float()


def main():
    root = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/models"
    if len(sys.argv) > 1:
        root = pathlib.Path(sys.argv[1])
    for seed, (name, (family, changes, length, dtype, shards)) in enumerate(FIXTURES.items()):
        config = getattr(transformers, family + "Config")(**{**SMALL, **changes})
        model = getattr(transformers, family + "ForCausalLM")(config).eval()
        model.set_attn_implementation("sdpa")
        generator = torch.Generator().manual_seed(seed)
        randomize(model, generator, getattr(torch, dtype))
        model.tie_weights()

        folder = root / name
        shutil.rmtree(folder, ignore_errors=True)
        half_bytes = sum(parameter.numel() * 2 for parameter in model.parameters())
        size = 10**9 if shards == 1 else half_bytes // shards + 4096
        stored = copy.deepcopy(model).to(getattr(torch, dtype))
        stored.save_pretrained(folder, max_shard_size=size)
        (folder / "generation_config.json").unlink(missing_ok=True)
        settings = json.loads((folder / "config.json").read_text())
        settings.pop("transformers_version", None)
        (folder / "config.json").write_text(json.dumps(settings, indent=1) + "\n")

        config.golden_length = length
        tokens = torch.randint(0, config.vocab_size, (2, length), generator=generator)
        with torch.no_grad():
            single = model(tokens, use_cache=False).logits
            exact = make_exact(model)(tokens, use_cache=False).logits
        golden = dict(tokens=tokens.int(), logits_f32=single, logits_f64=exact)
        save_file({k: v.contiguous() for k, v in golden.items()}, folder / "golden.safetensors")
        total = sum(path.stat().st_size for path in folder.iterdir())
        print(f"{name:20} {total:8} bytes  f32 - f64 {(single - exact).abs().max():.1e}")


if __name__ == "__main__":
    main()
