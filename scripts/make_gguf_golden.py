#!/usr/bin/env python3
"""Writes tests/golden/gguf: small GGUF files by the PyPI package `gguf`, and what independent code makes of them.

    scripts/make_gguf_golden.py                  # blocks, models, tokenizers
    scripts/make_gguf_golden.py --model X.gguf   # logits and token ids of SmolLM2-135M (scripts/get_model.sh)
    scripts/make_gguf_golden.py --model X.gguf --chunks 8   # writes nothing: perplexity as llama-perplexity counts it

Development only: needs gguf==0.19.0, numpy, sentencepiece and, for --model, tokenizers.
"""
import argparse
import json
import math
import os
import pathlib
import struct

import gguf
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests/golden"
OUT = GOLDEN / "gguf"
SHARED = pathlib.Path(os.environ.get("WKVQ_SHARED", ROOT / "../shared"))
QUANTS = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL"]
BITS = {"F64": "<u8", "F32": "<u4", "F16": "<u2", "BF16": "<u2", "I32": "<i4"}


def read_safetensors(path):
    """{name: (type, array of the bits)}"""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            bits = np.frombuffer(data[begin:end], BITS[entry["dtype"]]).reshape(entry["shape"])
            tensors[name] = (entry["dtype"], bits)
    return tensors


def write_safetensors(path, tensors):
    names = {"uint8": "U8", "int32": "I32", "float32": "F32", "float64": "F64"}
    header, offset = {}, 0
    for name, array in tensors.items():
        header[name] = {
            "dtype": names[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(a.tobytes() for a in tensors.values()))


# --- blocks ---


def is_sound(blocks, kind):
    """Values that compare: finite. NaN and infinity come from scales alone."""
    return np.isfinite(gguf.quants.dequantize(blocks, kind)).all(axis=1)


def write_blocks():
    random = np.random.default_rng(20261127)
    tensors = {}
    for name in QUANTS:
        kind = gguf.GGMLQuantizationType[name]
        size, bytes_ = gguf.GGML_QUANT_SIZES[kind]
        count = 3 if size == 256 else 12
        # Random bytes: every code, every scale, subnormal ones included.
        blocks = random.integers(0, 256, (8 * count, bytes_), dtype=np.uint8)
        blocks = np.ascontiguousarray(blocks[is_sound(blocks, kind)][:count])
        assert len(blocks) == count
        values = gguf.quants.dequantize(blocks, kind)
        tensors[f"{name}.bytes"] = blocks
        tensors[f"{name}.values"] = np.ascontiguousarray(values.astype(np.float32))
    write_safetensors(OUT / "blocks.safetensors", tensors)


# --- models ---

NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def gguf_name(name):
    stem, kind = name.rsplit(".", 1)
    if stem.startswith("model.layers."):
        _, _, layer, rest = stem.split(".", 3)
        return f"blk.{layer}.{NAMES[rest]}.{kind}"
    return f"{NAMES[stem]}.{kind}"


def permuted(bits, heads):
    """As llama.cpp's convert_hf_to_gguf.py stores rows of q and k of architecture llama."""
    shape = (heads, 2, bits.shape[0] // heads // 2, *bits.shape[1:])
    return bits.reshape(shape).swapaxes(1, 2).reshape(bits.shape)


def llama3_factors(config):
    """As convert_hf_to_gguf.py writes rope_freqs.weight."""
    scaling, dim = config["rope_scaling"], config["head_dim"]
    length = scaling["original_max_position_embeddings"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    factors = []
    for i in range(0, dim, 2):
        wave = 2 * math.pi * config["rope_theta"] ** (i / dim)
        if wave < length / high:
            factors.append(1.0)
        elif wave > length / low:
            factors.append(scaling["factor"])
        else:
            smooth = (length / wave - low) / (high - low)
            factors.append(1 / ((1 - smooth) / scaling["factor"] + smooth))
    return np.array(factors, np.float32)


def add_metadata(writer, config, architecture, head_dim):
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    if head_dim * config["num_attention_heads"] != config["hidden_size"]:
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    if architecture == "llama":
        writer.add_rope_dimension_count(head_dim)
        writer.add_vocab_size(config["vocab_size"])
    scaling = config.get("rope_scaling") or {}
    if scaling.get("rope_type") == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(scaling["factor"])
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])


def write_model(fixture, parts):
    folder = GOLDEN / "models" / fixture
    config = json.loads((folder / "config.json").read_text())
    architecture = config["model_type"]
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    head_dim = config.get("head_dim") or config["hidden_size"] // heads
    path = OUT / f"{fixture}.gguf"
    writer = gguf.GGUFWriter(path, architecture, split_max_tensors=parts)
    add_metadata(writer, config, architecture, head_dim)
    if (config.get("rope_scaling") or {}).get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_factors(config))
    for name, (kind, bits) in sorted(read_safetensors(folder / "model.safetensors").items()):
        if architecture == "llama" and (".q_proj." in name or ".k_proj." in name):
            bits = permuted(bits, heads if ".q_proj." in name else kv_heads)
        bits = np.ascontiguousarray(bits)
        if "norm" in name:  # norms stay float32 in every GGUF file
            wide = {"F32": lambda: bits.view("<f4"), "F16": lambda: bits.view("<f2").astype("<f4"),
                    "BF16": lambda: (bits.astype("<u4") << 16).view("<f4")}[kind]()
            writer.add_tensor(gguf_name(name), wide)
        elif kind == "BF16":
            writer.add_tensor(gguf_name(name), bits.view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
        else:
            writer.add_tensor(gguf_name(name), bits.view("<f4" if kind == "F32" else "<f2"))
    finish(writer)


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# --- tokenizers ---


def write_byte_level(fixture, pre):
    folder = GOLDEN / "tokenizers" / fixture
    data = json.loads((folder / "tokenizer.json").read_text())
    config = json.loads((folder / "tokenizer_config.json").read_text())
    ids = {token: (id_, 1) for token, id_ in data["model"]["vocab"].items()}
    for token in data["added_tokens"]:
        ids[token["content"]] = (token["id"], 3 if token["special"] else 4)
    ordered = sorted(ids.items(), key=lambda item: item[1][0])
    assert [id_ for _, (id_, _) in ordered] == list(range(len(ordered)))
    writer = gguf.GGUFWriter(OUT / f"tokenizer_{fixture}.gguf", "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list([token for token, _ in ordered])
    writer.add_token_types([kind for _, (_, kind) in ordered])
    writer.add_token_merges([" ".join(merge) for merge in data["model"]["merges"]])
    for role in ("bos", "eos"):
        if config.get(f"{role}_token"):
            getattr(writer, f"add_{role}_token_id")(ids[config[f"{role}_token"]][0])
    finish(writer)


def write_sentencepiece(fixture):
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(str(GOLDEN / "tokenizers" / fixture / "tokenizer.model"))
    tokens, scores, kinds = [], [], []
    for id_ in range(model.vocab_size()):
        tokens.append(model.id_to_piece(id_))
        scores.append(model.get_score(id_))
        kinds.append(2 if model.is_unknown(id_) else 3 if model.is_control(id_) else 6 if model.is_byte(id_) else 1)
    writer = gguf.GGUFWriter(OUT / f"tokenizer_{fixture}.gguf", "llama")
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(model.bos_id())
    writer.add_eos_token_id(model.eos_id())
    writer.add_unk_token_id(model.unk_id())
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    finish(writer)


# --- the real model ---


class Model:
    """float64 on weights as `gguf` decodes them; RoPE on neighbours, as llama.cpp has architecture llama."""

    def __init__(self, path):
        self.reader = gguf.GGUFReader(path)
        self.tensors = {tensor.name: tensor for tensor in self.reader.tensors}

    def field(self, name):
        return self.reader.fields[name].contents()

    def weight(self, name):
        tensor = self.tensors[name]
        return gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float64)

    def norm(self, x, name):
        scale = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + self.field("llama.attention.layer_norm_rms_epsilon"))
        return x * scale * self.weight(name)

    def rotated(self, x):
        """x [tokens, heads, d]: channels 2i and 2i + 1 turn together."""
        tokens, _, d = x.shape
        frequency = self.field("llama.rope.freq_base") ** (-np.arange(0, d, 2) / d)
        angle = np.arange(tokens)[:, None, None] * frequency
        even, odd = x[..., 0::2], x[..., 1::2]
        result = np.empty_like(x)
        result[..., 0::2] = even * np.cos(angle) - odd * np.sin(angle)
        result[..., 1::2] = even * np.sin(angle) + odd * np.cos(angle)
        return result

    def attention(self, x, block):
        heads, kv_heads = self.field("llama.attention.head_count"), self.field("llama.attention.head_count_kv")
        tokens = len(x)
        project = lambda part, count: (x @ self.weight(f"{block}.attn_{part}.weight").T).reshape(tokens, count, -1)
        query, key = self.rotated(project("q", heads)), self.rotated(project("k", kv_heads))
        value = project("v", kv_heads)
        result = np.empty_like(query)
        future = np.triu(np.full((tokens, tokens), -np.inf), 1)
        for head in range(heads):
            shared = head * kv_heads // heads
            scores = query[:, head] @ key[:, shared].T / math.sqrt(query.shape[-1]) + future
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            result[:, head] = weights / weights.sum(-1, keepdims=True) @ value[:, shared]
        return result.reshape(tokens, -1) @ self.weight(f"{block}.attn_output.weight").T

    def logits(self, ids):
        embedding = self.weight("token_embd.weight")
        x = embedding[ids]
        for layer in range(self.field("llama.block_count")):
            block = f"blk.{layer}"
            x = x + self.attention(self.norm(x, f"{block}.attn_norm.weight"), block)
            y = self.norm(x, f"{block}.ffn_norm.weight")
            gate, up = (y @ self.weight(f"{block}.ffn_{part}.weight").T for part in ("gate", "up"))
            x = x + (gate / (1 + np.exp(-gate)) * up) @ self.weight(f"{block}.ffn_down.weight").T
        return self.norm(x, "output_norm.weight") @ embedding.T


def print_perplexity(path, chunks):
    """Of chunks of 512 tokens, the second half scored: float64 throughout."""
    model = Model(path)
    ids = real_tokenizer(model).encode(real_text()).ids
    total = 0.0
    for chunk in range(chunks):
        tokens = ids[512 * chunk : 512 * (chunk + 1)]
        logits = model.logits(tokens)[256:511]
        peak = logits.max(-1)
        log_sum = peak + np.log(np.exp(logits - peak[:, None]).sum(-1))
        total += (log_sum - logits[np.arange(255), tokens[257:]]).sum()
        print(f"{chunk + 1} chunks: perplexity {math.exp(total / (255 * (chunk + 1))):.4f}", flush=True)


def real_text():
    return (SHARED / "data/text/wikitext2.test.raw.txt").read_bytes().decode()[:120_000]


def fnv1a(ids):
    value = 0xCBF29CE484222325
    for id_ in ids:
        for byte in struct.pack("<i", id_):
            value = (value ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return f"{value:016x}"


def real_tokenizer(model):
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {token: id_ for id_, token in enumerate(model.field("tokenizer.ggml.tokens"))}
    merges = [tuple(merge.split(" ")) for merge in model.field("tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return tokenizer


def write_real(path):
    model = Model(path)
    tokenizer = real_tokenizer(model)
    ids = tokenizer.encode(real_text()).ids
    print(f"{len(ids)} tokens of 120,000 characters, FNV-1a {fnv1a(ids)}")
    tokens = ids[1000:1024]
    logits = model.logits(tokens)
    columns = np.random.default_rng(7).choice(logits.shape[1], 64, replace=False).astype(np.int32)
    top = np.argsort(-logits, axis=1)[:, :8].astype(np.int32)
    peak = logits.max(-1)
    write_safetensors(
        OUT / "smollm2_135m.safetensors",
        {
            "logits": np.ascontiguousarray(logits[:, columns]),
            "top_logits": np.take_along_axis(logits, top, 1),
            "log_sum": peak + np.log(np.exp(logits - peak[:, None]).sum(-1)),
            "tokens": np.array(tokens, np.int32),
            "columns": columns,
            "top": top,
        },
    )
    golden = {"characters": 120_000, "tokens": len(ids), "fnv1a": fnv1a(ids)}
    (OUT / "smollm2_135m_tokens.json").write_text(json.dumps(golden) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, help="SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--chunks", type=int, help="print the perplexity of so many chunks instead")
    arguments = parser.parse_args()
    if arguments.model and arguments.chunks:
        return print_perplexity(arguments.model, arguments.chunks)
    OUT.mkdir(parents=True, exist_ok=True)
    if arguments.model:
        return write_real(arguments.model)
    write_blocks()
    for fixture in ("llama_llama3", "llama_linear", "llama_bias", "qwen2_tied", "qwen3"):
        write_model(fixture, 0)
    write_model("tinyllama_tied", 12)  # in parts
    for fixture, pre in (("smollm", "smollm"), ("llama3", "llama-bpe"), ("ignore_merges", "llama-bpe"),
                         ("qwen2", "qwen2"), ("gpt2", "gpt-2")):
        write_byte_level(fixture, pre)
    write_sentencepiece("sentencepiece_bpe")


if __name__ == "__main__":
    main()
