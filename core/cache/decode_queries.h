#pragma once

#include "core/cache/decode_attention.h"

namespace wkvq {

/// The queries of a step as kernels read them, [batch, kv_heads, rows, head_dim] in float32: those
/// that share a kv head in a row, scaled by 1 / sqrt(head_dim).
struct DecodeQueries {
  at::Tensor plain, folded;  ///< for exact and for packed keys: the latter's channels folded in
  at::Tensor offset;         ///< [batch, kv_heads, rows]: what dropping the shift of keys subtracts
  int64_t rows = 0, steps = 0;  ///< row r is query r % steps of the step
};

/// Of `query` [batch, heads, steps, head_dim].
DecodeQueries decode_queries(const at::Tensor& query, const PackedKv& past);

/// Attention out of its parts: what packed tokens contribute before their channels and what exact
/// ones do, both [batch, kv_heads, rows, head_dim], and the weight of the packed tokens
/// [batch, kv_heads, rows, 1]. Returns [batch, heads, steps, head_dim].
at::Tensor decode_output(at::Tensor packed, const at::Tensor& exact, const at::Tensor& share,
                         const PackedKv& past, int64_t steps);

/// decode_attention by the past's device kernels, in float32.
at::Tensor decode_on_device(const at::Tensor& query, const DecodeContext& context);

}  // namespace wkvq
