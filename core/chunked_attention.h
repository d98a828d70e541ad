#pragma once

#include "core/masked_attention.h"

namespace wkvq {

/// masked_attention as products of whole chunks of queries, for devices without a kernel of its
/// own. Works in the dtype of its inputs: float32 or float64.
at::Tensor chunked_attention(const at::Tensor& query, const KvPair& kv, const KvViewOptions& view,
                             int64_t sliding_window);

}  // namespace wkvq
