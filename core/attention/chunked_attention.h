#pragma once

#include "core/attention/attention_backward.h"

namespace wkvq {

/// masked_attention as products of whole chunks of queries, for devices without a kernel of its
/// own. Works in the dtype of its inputs: float32 or float64; sinks are mixed into the copies
/// already.
at::Tensor chunked_attention(const at::Tensor& query, const KvPair& kv,
                             const AttentionBounds& bounds);

/// attention_backward in the same way.
AttentionGradients chunked_attention_backward(const at::Tensor& grad, const AttentionRecord& record,
                                              const AttentionBounds& bounds);

}  // namespace wkvq
