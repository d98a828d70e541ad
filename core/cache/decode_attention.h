#pragma once

#include "core/cache/packed_kv.h"
#include "core/cache/token_step.h"

namespace wkvq {

/// Keys and values in full precision beside the packed past: sinks, a window, the newest tokens.
/// Sequence b has tokens [begin[b], end[b]).
struct ExactTokens {
  at::Tensor key, value;  ///< [batch, kv_heads, capacity, head_dim], float32, contiguous
  std::vector<int64_t> begin, end;
};

/// What the queries of a step see.
struct DecodeContext {
  const PackedKv& past;
  std::vector<int64_t> past_begin;  ///< per sequence; before it nothing is seen. Empty: zeros
  /// With several queries the last entry ends with their own tokens; none sees one after its own.
  /// In front of its `begin` stand the values of the last tokens of `past` that have a packed key
  /// only.
  std::vector<ExactTokens> exact;
};

/// Attention of the newest tokens `query` [batch, heads, n, head_dim] against packed and exact
/// tokens: softmax(q k / sqrt(head_dim)) v over the union of both; same shape and dtype. Codes are
/// unpacked in registers, shared by the query heads of a kv head. The channel scale of keys is
/// folded into the query, that of values into the output; the shift of keys is dropped (it moves
/// all scores of a query alike, so scores of exact keys are moved too), that of values added once.
/// Sums are taken over spans of kSpanTokens tokens and then over spans in order, whatever the
/// number of threads. All of it on the device of the past, by its kernels. Throws c10::Error where
/// a query sees nothing.
at::Tensor decode_attention(const at::Tensor& query, const DecodeContext& context);

/// The same of one sequence and token, bit for bit, into in.out; on the CPU.
void decode_attention(const TokenStep& in, const DecodeContext& context, Team& team);

}  // namespace wkvq
