#pragma once

#include <ATen/core/Tensor.h>

#include "core/kv/kv_options.h"

namespace wkvq {

/// The stored form of groups on a NormalGrid.
struct NormalCodes {
  at::Tensor codes;  ///< uint8, the shape of the groups; with qjl the sign is the lowest bit
  at::Tensor norm;   ///< Euclidean length of each group, [..., 1]
  at::Tensor
      residual;  ///< qjl: length of what the codes of a group of length 1 leave; else undefined
};

/// TurboQuant's grid (arXiv 2504.19874): a group x of n channels is its length |x| and a direction
/// u = x / |x|, whose coordinates, once rotated, are about N(0, 1/n). Each goes to the nearest
/// value c of the codebook that is best for that distribution (normal_codebook), and is read as
///   x' = |x| c / |c|   (norm_correction), or |x| c.
/// With `qjl` the codebook has one bit less, and the bit buys the sign of S r, r = u - c and S a
/// fixed matrix [n, n] of standard normal numbers, which makes scalar products unbiased over S:
///   x' = |x| (c + |r| sqrt(pi / 2) / n S^T sign(S r)).
class NormalGrid {
 public:
  NormalGrid() = default;
  /// Of options whose grid is `normal`.
  explicit NormalGrid(const KvTensorOptions& options);

  /// `groups` [..., n]. Lengths are rounded to options.scale_dtype.
  NormalCodes encode(const at::Tensor& groups) const;
  at::Tensor decode(const NormalCodes& encoded) const;

  /// Stored bits of an element: its code and its part of the lengths.
  static double stored_bits(const KvTensorOptions& options, int64_t width, int64_t compute_bits);

 private:
  KvTensorOptions options_;
  at::Tensor codebook_, boundaries_;  // of N(0, 1), float64
};

}  // namespace wkvq
