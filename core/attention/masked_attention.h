#pragma once

#include <ATen/core/Tensor.h>

#include "core/kv/kv_codec.h"
#include "core/kv/kv_view.h"
#include "core/model/transformer.h"

namespace wkvq {

/// Keys and values in full precision and as their quantized copies; each [batch, kv_heads, seq,
/// head_dim].
struct KvPair {
  at::Tensor key, value;
  at::Tensor key_hat, value_hat;
};

/// Causal attention in which query t (the last query is at the last key's position) sees token s
/// quantized where `view` says so:
///   score[t,s] = q_t . (M[t,s] ? khat_s : k_s) / sqrt(head_dim)
///   P = softmax(score)
///   out_t = sum_s P[t,s] (M[t,s] ? vhat_s : v_s)
/// `query` is [batch, heads, n, head_dim], n <= seq, the result likewise; heads share kv_heads in
/// order.
/// `sliding_window` 0: none, else query t sees s > t - sliding_window only. Works in float32, or
/// float64 for float64 input. One pass over chunks of queries; never a [seq, seq] tensor.
/// Differentiable in all of them where n = seq.
at::Tensor masked_attention(const at::Tensor& query, const KvPair& kv, const KvViewOptions& view,
                            int64_t sliding_window);

/// The same without quantization.
at::Tensor full_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                          int64_t sliding_window);

/// The same as an AttentionFunction.
at::Tensor plain_attention(const AttentionInputs& inputs);

/// The quantized copy of the keys as attention reads it: of `inputs.key`, or of the keys before
/// RoPE, which is applied to the copy.
at::Tensor quantized_key(const AttentionInputs& inputs, const KvTensorCodec& codec);

/// masked_attention with keys and values quantized by `codec`.
at::Tensor quantized_attention(const AttentionInputs& inputs, const KvCodec& codec,
                               const KvViewOptions& view);

}  // namespace wkvq
