#pragma once

#include "core/attention_bounds.h"
#include "core/kernels/device_kernels.h"
#include "core/masked_attention.h"

namespace wkvq {

/// Whether attention_on_device takes these queries: float32 and head_dim up to kMaxHeadDim.
bool has_device_attention(const at::Tensor& query);

/// masked_attention by kernels of a device, in float32. Rows of the operands have no gaps; sinks
/// are mixed into the copies already.
at::Tensor attention_on_device(const at::Tensor& query, const KvPair& kv,
                               const AttentionBounds& bounds, const DeviceKernels& kernels);

}  // namespace wkvq
