#pragma once

#include <ATen/core/Tensor.h>

#include "core/kv/kv_options.h"

namespace wkvq {

/// KVarN's variance normalization (arXiv 2606.03458). Of every tile of options.tile tokens, a
/// matrix tokens x channels of a head, scales of rows and of columns are found that leave all of them
/// about the same standard deviation: each side is divided by its own in turn, 16 times (Sinkhorn
/// in logarithms), and the round with the least ratio of the largest to the smallest one counts.
/// The scales along the groups of the quantizer are absorbed by the groups' own; the others are
/// what is returned, in options.scale_dtype:
///   axis time   one a token, [batch, kv_heads, seq, 1]
///   axis token  one a tile and channel, [batch, kv_heads, tiles, head_dim]
/// `x` is [batch, kv_heads, seq, head_dim]; a last tile may be incomplete.
at::Tensor tile_balance(const at::Tensor& x, const KvTensorOptions& options);

/// Such scales for each of `seq` tokens; broadcasts over x.
at::Tensor over_tiles(const at::Tensor& balance, const KvTensorOptions& options, int64_t seq);

/// Their stored bits an element; 0 without tiles.
double balance_bits(const KvTensorOptions& options, int64_t head_dim, int64_t compute_bits);

}  // namespace wkvq
