#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace wkvq {

/// How many elements of `count` are outliers at either end: share / 2 of them, rounded.
int64_t outliers_per_end(double share, int64_t count);

/// Of the last dimension of `x`: the smallest and largest element that are no outliers, [..., 1];
/// outliers lie strictly beyond (KVQuant, section 3.4). `median`: the lower one.
struct OutlierThresholds {
  at::Tensor low, high, median;
};
OutlierThresholds outlier_thresholds(const at::Tensor& x, double share);

/// Edges between outliers and the rest that calibration hands to other text, [..., 1] each. They
/// lie in the middle between two values of `x`, so that a token which is met again, summed in
/// another order, falls to the same side. Values that rounding alone keeps apart count as one: an
/// end then has fewer outliers than its share, and without any the edge lies just beyond the last
/// value. With `share` 0 the smallest and the largest value.
struct OutlierEdges {
  at::Tensor low, high;
};
OutlierEdges outlier_edges(const at::Tensor& x, double share);

/// Elements kept as they are, by their place in the flattened tensor.
struct SparseEntries {
  at::Tensor index;  ///< int64, ascending
  at::Tensor value;  ///< as many

  bool defined() const { return index.defined(); }
  /// Writes the values into contiguous `x`.
  void put_into(at::Tensor& x) const;
};
/// The elements of `x` where `mask` is true.
SparseEntries sparse_entries(const at::Tensor& x, const at::Tensor& mask);

/// Stored bits of a sparse part per element of a token of `width` elements of which `share` are
/// kept: each its value in the compute dtype and a 16-bit place within the token, and a 32-bit
/// number of entries a token.
double sparse_bits(double share, int64_t width, int64_t compute_bits);

}  // namespace wkvq
