#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/attention/attention_bounds.h"

namespace wkvq {

inline constexpr int64_t kAttentionChunk = 128;  ///< queries whose softmax is alive at once

/// Tokens [start, end) as one chunk of queries sees them: quantized ones end at `high` at the
/// latest, exact ones begin at `low` at the earliest; `mask` tells the two apart in between.
struct SeenTokens {
  int64_t start, low, high, end;
  at::Tensor mask;  ///< [queries, high - low], true where quantized; undefined where low == high

  int64_t quantized() const { return high - start; }
  int64_t exact() const { return end - low; }

  /// left [heads, queries, dim] times the rows [seq, dim] that each query sees:
  /// [heads, queries, end - start].
  at::Tensor product(const at::Tensor& left, const at::Tensor& quantized_rows,
                     const at::Tensor& exact_rows) const;
  /// weights [heads, queries, end - start] times the rows that each query sees.
  at::Tensor gather(const at::Tensor& weights, const at::Tensor& quantized_rows,
                    const at::Tensor& exact_rows) const;
  /// grad[s] += sum over heads and queries of weights[.., s] left[..], for the rows each query
  /// sees.
  void scatter(const at::Tensor& weights, const at::Tensor& left, const at::Tensor& quantized_grad,
               const at::Tensor& exact_grad) const;

 private:
  at::Tensor part(const at::Tensor& weights, bool of_quantized) const;
};

/// Queries [first, last) with their keys and values.
struct AttentionChunk {
  int64_t first, last;
  SeenTokens keys, values;
  at::Tensor hidden;  ///< [queries, end - start], true where a query must not look

  /// The softmax weights [heads, queries, end - start] of `query` [heads, queries, dim], scaled.
  at::Tensor weights(const at::Tensor& query, const at::Tensor& key_hat,
                     const at::Tensor& key) const;
};

/// The chunks of a sequence, on the device of `like`.
std::vector<AttentionChunk> attention_chunks(const AttentionBounds& bounds, const at::Tensor& like);

}  // namespace wkvq
