"""WKVQuant's training as methods/common/block_training.cpp does it, written plainly in eager PyTorch.

One setting only, in torch's default dtype: weights in form A (zero included), cache in form B with one group a head
and learned channels, mode past, mean absolute error some full-precision blocks on, AdamW with rates falling linearly.
"""
import json
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
CHAIN_TOKENS = 4096  # of a batch of calibration text that is only carried on


def load_model(folder):
    """The configuration, the embedded table and the weights of every block, in the default dtype."""
    config = json.loads((pathlib.Path(folder) / "config.json").read_text())
    dtype = torch.get_default_dtype()
    tensors = {k: v.to(dtype) for k, v in load_file(pathlib.Path(folder) / "model.safetensors").items()}
    blocks = []
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        blocks.append({name.removeprefix(prefix).removesuffix(".weight").split(".")[-1]: value
                       for name, value in tensors.items() if name.startswith(prefix)})
    return config, tensors["model.embed_tokens.weight"], blocks


class Round(torch.autograd.Function):
    """Straight through: the identity backwards. x + (round(x) - x).detach() would leave the integers by an ulp, and the
    clamp behind it then drops gradients of the highest code."""

    @staticmethod
    def forward(context, x):
        return x.round()

    @staticmethod
    def backward(context, grad):
        return grad


def quantize_weight(weight, high, low, bits, group):
    """Form A, the range of each group clipped to sigmoid(high), sigmoid(low) of itself; high, low [out, groups]."""
    top = 2**bits - 1
    out, width = weight.shape
    # Zeros do not widen a range that holds zero already.
    x = F.pad(weight, (0, -width % group)).view(out, -1, group)
    highest = x.amax(-1, keepdim=True).clamp_min(0) * high.sigmoid().unsqueeze(-1)
    lowest = x.amin(-1, keepdim=True).clamp_max(0) * low.sigmoid().unsqueeze(-1)
    scale = (highest - lowest) / top
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    zero = (-lowest / scale).round().detach()
    codes = (Round.apply(x / scale) + zero).clamp(0, top)
    return ((codes - zero) * scale).view(out, -1)[:, :width]


def quantize_cache(x, shift, log_scale, bits):
    """Form B on (x - shift) / scale, one group a token and head; x [batch, kv_heads, seq, head_dim]."""
    top = 2**bits - 1
    shift, factor = shift.unsqueeze(1), log_scale.exp().unsqueeze(1)
    smooth = (x - shift) / factor
    lowest = smooth.amin(-1, keepdim=True)
    scale = (smooth.amax(-1, keepdim=True) - lowest) / top
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    codes = Round.apply((smooth - lowest) / scale).clamp(0, top)
    return (codes * scale + lowest) * factor + shift


def full_attention(query, key, value):
    repeat = query.size(1) // key.size(1)
    key, value = key.repeat_interleave(repeat, 1), value.repeat_interleave(repeat, 1)
    return F.scaled_dot_product_attention(query, key, value, is_causal=True)


def past_attention(channels, bits):
    """Every query sees the past quantized and its own token exactly."""

    def attention(query, key, value):
        repeat, seq, dim = query.size(1) // key.size(1), query.size(2), query.size(3)
        key_hat = quantize_cache(key, channels["key.shift"], channels["key.log_scale"], bits)
        value_hat = quantize_cache(value, channels["value.shift"], channels["value.log_scale"], bits)
        key, value, key_hat, value_hat = (x.repeat_interleave(repeat, 1) for x in (key, value, key_hat, value_hat))
        query = query * dim**-0.5
        past = torch.ones(seq, seq, dtype=torch.bool).tril(-1)
        scores = (query @ key_hat.transpose(2, 3)).masked_fill(~past, float("-inf"))
        own = (query * key).sum(-1)
        weights = torch.diagonal_scatter(scores, own, dim1=2, dim2=3).softmax(-1)
        own = weights.diagonal(dim1=2, dim2=3).unsqueeze(-1)
        return weights @ value_hat + own * (value - value_hat)

    return attention


class Eager:
    """A model and its calibration text."""

    def __init__(self, folder, tokens, options):
        self.config, table, self.blocks = load_model(folder)
        self.options = options
        self.samples = F.embedding(tokens, table)
        self.heads, self.kv_heads = self.config["num_attention_heads"], self.config["num_key_value_heads"]
        self.dim = self.config["head_dim"]
        inverse = 1 / self.config["rope_theta"] ** (torch.arange(0, self.dim, 2) / self.dim)
        angle = torch.outer(torch.arange(tokens.size(1), dtype=inverse.dtype), inverse)
        self.cos, self.sin = angle.cos().repeat(1, 2), angle.sin().repeat(1, 2)

    def norm(self, x, weight):
        return F.rms_norm(x, weight.shape, weight, self.config["rms_norm_eps"])

    def rotate(self, x):
        low, high = x.chunk(2, -1)
        return x * self.cos + torch.cat((-high, low), -1) * self.sin

    def project(self, block, hidden):
        """Queries, keys and values [batch, heads, seq, head_dim], rotated."""
        x = self.norm(hidden, block["input_layernorm"])
        split = [F.linear(x, block[name]).unflatten(-1, (-1, self.dim)).transpose(1, 2)
                 for name in ("q_proj", "k_proj", "v_proj")]
        return self.rotate(split[0]), self.rotate(split[1]), split[2]

    def forward(self, block, hidden, attention):
        heads = attention(*self.project(block, hidden))
        middle = hidden + F.linear(heads.transpose(1, 2).flatten(2), block["o_proj"])
        x = self.norm(middle, block["post_attention_layernorm"])
        gated = F.silu(F.linear(x, block["gate_proj"])) * F.linear(x, block["up_proj"])
        return middle + F.linear(gated, block["down_proj"])

    def carry(self, block, hidden, attention):
        with torch.no_grad():
            batches = hidden.split(max(1, CHAIN_TOKENS // hidden.size(1)))
            return torch.cat([self.forward(block, x, attention) for x in batches])

    def parameters(self, block, hidden):
        """Initial parameters and their rates, by name."""
        values, rates = {}, {}
        with torch.no_grad():
            for name in LINEARS:
                groups = (block[name].size(0), -(-block[name].size(1) // self.options["group"]))
                ratio = 1 - 1 / (4 * (2 ** self.options["bits"] - 1))  # a quarter of a step
                for side in ("high", "low"):
                    values[f"{name}.{side}"] = torch.full(groups, ratio).logit()
                    rates[f"{name}.{side}"] = 1e-2
            projected = [self.project(block, x)[1:] for x in hidden.split(1)]
        for side, parts in zip(("key", "value"), zip(*projected)):
            lowest = torch.stack([x.amin((0, 2)) for x in parts]).amin(0)
            highest = torch.stack([x.amax((0, 2)) for x in parts]).amax(0)
            half = (highest - lowest) / 2
            scale = half.sqrt().clamp_min(1e-4)
            values[f"{side}.log_scale"] = torch.where(half > 0, scale, torch.ones_like(scale)).log()
            values[f"{side}.shift"] = (highest + lowest) / 2
            rates[f"{side}.log_scale"], rates[f"{side}.shift"] = 5e-3, 5e-3 * half.median().item()
        return {name: x.requires_grad_() for name, x in values.items()}, rates

    def quantized(self, block, parameters):
        quantized = dict(block)
        for name in LINEARS:
            quantized[name] = quantize_weight(block[name], parameters[f"{name}.high"], parameters[f"{name}.low"],
                                              self.options["bits"], self.options["group"])
        return quantized

    def train(self, layer, inputs, targets):
        """The loss by epoch, and the parameters."""
        options, count = self.options, inputs.size(0)
        following = self.blocks[layer + 1 : layer + 1 + options["following"]]
        parameters, rates = self.parameters(self.blocks[layer], inputs)
        attention = past_attention(parameters, options["bits"])

        def loss_of(block, i):
            x = self.forward(block, inputs[i : i + 1], attention)
            for frozen in following:
                x = self.forward(frozen, x, full_attention)
            return F.l1_loss(x, targets[i : i + 1])

        def mean_loss():
            with torch.no_grad():
                block = self.quantized(self.blocks[layer], parameters)
                return sum(loss_of(block, i).item() for i in range(count)) / count

        groups = [{"params": [value], "lr": rates[name]} for name, value in parameters.items()]
        optimizer = torch.optim.AdamW(groups, weight_decay=0)
        steps = options["epochs"] * count
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
        initial = {name: x.detach().clone() for name, x in parameters.items()}
        first, losses = mean_loss(), []
        for epoch in range(options["epochs"]):
            generator = torch.Generator().manual_seed(layer * 10_007 + epoch)
            total = 0.0
            for i in torch.randperm(count, generator=generator).tolist():
                loss = loss_of(self.quantized(self.blocks[layer], parameters), i)
                total += loss.item()
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                schedule.step()
            losses.append(total / count)
        return losses, parameters if mean_loss() <= first else initial

    def calibrate(self):
        """The losses of every block by epoch."""
        layers = len(self.blocks)
        full, quantized, losses = [self.samples], self.samples, []
        for layer, block in enumerate(self.blocks):
            target = min(layer + 1 + self.options["following"], layers)
            while len(full) <= target:
                full.append(self.carry(self.blocks[len(full) - 1], full[-1], full_attention))
            curve, parameters = self.train(layer, quantized, full[target])
            losses.append(curve)
            with torch.no_grad():
                hardened = self.quantized(block, parameters)
            quantized = self.carry(hardened, quantized, past_attention(parameters, self.options["bits"]))
        return losses
