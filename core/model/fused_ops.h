#pragma once

#include <ATen/ATen.h>

namespace wkvq {

/// The elementwise parts of a decoder block. On the CPU, in float32 and float64, the first two are
/// one parallel loop each way; otherwise a chain of ATen operations with the same result to
/// rounding. In half types the intermediate roundings are those of Hugging Face
/// transformers.

/// x / sqrt(mean(x^2) + eps) * weight over the last dimension; statistics in float32, for float64
/// in float64. `weight` [width]; any leading shape.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

/// Rotates the pairs (i, i + head_dim / 2) of `x` [batch, heads, seq, head_dim]; `cos`, `sin`
/// [seq, head_dim / 2]. The result is contiguous.
at::Tensor rotate_pairs(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

/// silu(gate) * up. May overwrite `gate`.
at::Tensor silu_times(at::Tensor gate, const at::Tensor& up);

/// residual + update. May overwrite `update`.
at::Tensor add_residual(const at::Tensor& residual, at::Tensor update);

}  // namespace wkvq
