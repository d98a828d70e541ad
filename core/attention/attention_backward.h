#pragma once

#include "core/attention/attention_bounds.h"
#include "core/attention/masked_attention.h"

namespace wkvq {

/// What the backward pass reads of the forward pass: float32 or float64, sinks already mixed into
/// the quantized copies.
struct AttentionRecord {
  at::Tensor query, out;  ///< [batch, heads, seq, head_dim]
  KvPair kv;              ///< [batch, kv_heads, seq, head_dim]; the copies may be undefined
};

struct AttentionGradients {
  at::Tensor query;
  KvPair kv;  ///< undefined where the forward pass had no quantized copies
};

/// Gradients of masked_attention, softmax recomputed over chunks of queries:
///   dS = P (dP - rowsum(dO O)), dP = M ? dO vhat^T : dO v^T, and every product goes to the copy
///   that the query saw.
AttentionGradients attention_backward(const at::Tensor& grad, const AttentionRecord& record,
                                      const AttentionBounds& bounds);

}  // namespace wkvq
