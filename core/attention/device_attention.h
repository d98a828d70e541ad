#pragma once

#include "core/attention/attention_bounds.h"
#include "core/attention/masked_attention.h"

namespace wkvq {

struct DeviceKernels;

/// Whether attention_on_device takes these queries: head_dim up to kMaxHeadDim, float32 or, with
/// head_dim a multiple of 16, a half type.
bool has_device_attention(const at::Tensor& query);

/// masked_attention by kernels of a device, operands of one type. Rows of the operands have no
/// gaps; sinks are mixed into the copies already. Half types: scores, softmax and sums are float32,
/// weights of tokens are rounded to the half type before they multiply values. Returns the type of
/// `query`.
at::Tensor attention_on_device(const at::Tensor& query, const KvPair& kv,
                               const AttentionBounds& bounds, const DeviceKernels& kernels);

}  // namespace wkvq
