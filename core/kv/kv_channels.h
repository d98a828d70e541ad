#pragma once

#include <ATen/core/Tensor.h>

#include "core/kv/kv_options.h"

namespace wkvq {

/// Per channel range over all tokens seen, [kv_heads, head_dim]; streaming and mergeable.
struct ChannelRange {
  at::Tensor lowest, highest;
  /// `x` is [batch, kv_heads, seq, head_dim].
  void add(const at::Tensor& x);
};

/// Shift and scale of every channel, [kv_heads, head_dim], and what rotates them after it, x R,
/// orthonormal [kv_heads, head_dim, head_dim]; undefined: none.
struct ChannelTransform {
  at::Tensor shift, scale;
  at::Tensor rotation = {};
};

/// What options.channel asks for by calibration statistics; undefined parts where it asks for none.
/// Before RoPE a scale is the geometric mean of those of its pair.
ChannelTransform static_channels(const KvTensorOptions& options, const ChannelRange& range);

/// One value a pair [kv_heads, head_dim / 2] to both channels of it, i and i + head_dim / 2.
at::Tensor over_pairs(const at::Tensor& x);

}  // namespace wkvq
