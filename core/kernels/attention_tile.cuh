// What the kernels of masked_attention share: a tile of queries and where its operands lie.
#pragma once

#include "core/kernels/device_problems.h"

namespace wkvq {
namespace {

/// kQueries queries of one head of one sequence, which walk over tiles of kTokens tokens. The grid
/// is tiles of queries, heads, sequences.
template <int64_t kQueries, int64_t kTokens>
class AttentionTile {
 public:
  __device__ explicit AttentionTile(const DeviceAttention& problem)
      : p_(problem),
        first_(static_cast<int64_t>(blockIdx.x) * kQueries),
        count_(p_.seq - first_ < kQueries ? p_.seq - first_ : kQueries),
        head_(blockIdx.y),
        batch_(blockIdx.z) {}

 protected:
  /// Query q of the tile; those beyond the last one repeat it and are not written.
  __device__ int64_t query(int64_t q) const { return first_ + (q < count_ ? q : count_ - 1); }
  template <class T>
  __device__ const T* query_row(int64_t q) const {
    return row<T>(p_.query, head_, query(q));
  }
  template <class T>
  __device__ const T* token_row(const DeviceRows& rows, int64_t s) const {
    return row<T>(rows, head_ / (p_.heads / p_.kv_heads), s);
  }
  template <class T>
  __device__ T* out_row(int64_t q) const {
    return static_cast<T*>(p_.out) + ((batch_ * p_.seq + first_ + q) * p_.heads + head_) * p_.dim;
  }

  /// Of the tokens: from the first tile that a query sees to one past the last.
  __device__ int64_t begin() const { return p_.lowest[first_] / kTokens * kTokens; }
  __device__ int64_t end() const { return p_.first + query(kQueries - 1) + 1; }

  /// Whether a query of the tile sees a token of [s, s + kTokens) quantized, and exact.
  __device__ bool any_quantized(const int64_t* bound, int64_t s) const {
    return s < bound[query(kQueries - 1)];
  }
  __device__ bool any_exact(const int64_t* bound, int64_t s) const {
    return s + kTokens > bound[first_];
  }

  const DeviceAttention& p_;
  int64_t first_, count_, head_, batch_;

 private:
  template <class T>
  __device__ const T* row(const DeviceRows& rows, int64_t head, int64_t i) const {
    return static_cast<const T*>(rows.data) + batch_ * rows.batch + head * rows.head + i * rows.row;
  }
};

}  // namespace
}  // namespace wkvq
