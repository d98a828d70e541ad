#pragma once

#include <ATen/core/Tensor.h>

#include "core/kv/kv_options.h"

namespace wkvq {

/// `x` rounded to the dtype that scales are stored in, in its own dtype.
at::Tensor as_stored(const at::Tensor& x, ScaleDtype dtype);

/// What the grid of keys or values takes from calibration text; undefined where options ask for
/// none.
struct GridConstants {
  at::Tensor low, high;      ///< range: static, [kv_heads, head_dim], or 1 for what shares a range
  at::Tensor codebook;       ///< grid: nuq, [2^bits], ascending, of values normalized to [-1, 1]
  at::Tensor read_codebook;  ///< q_norm: what its codes stand for; undefined: the codebook itself
  double outlier_share = 0;  ///< of the calibration text, beyond static ranges
};

/// Where a grid lies: x' = level * step + offset, level a code, a value of the codebook or an
/// element of the format.
struct GridFrame {
  at::Tensor offset, step;  ///< broadcast over x
};

/// The grid of options that `fits_grid()`: static ranges, codebooks. Uniform levels are those of
/// form B.
class RowGrid {
 public:
  RowGrid() = default;
  /// Without a codebook grid: nuq has frames only.
  RowGrid(const KvTensorOptions& options, const GridConstants& constants);

  /// Over [low, high]: uniform, offset low, step (high - low) / n; nuq, the middle and half of it;
  /// formats other than integers, 0 and the larger end by the largest element.
  /// An empty range gets step 1, which keeps its only value.
  GridFrame frame(const at::Tensor& low, const at::Tensor& high) const;
  /// uint8; values beyond the grid go to its ends.
  at::Tensor codes(const at::Tensor& x, const GridFrame& frame) const;
  at::Tensor values(const at::Tensor& codes, const GridFrame& frame) const;

 private:
  KvTensorOptions options_;
  QuantPlan plan_;                    // the elements of formats other than integers
  at::Tensor codebook_, boundaries_;  // what codes stand for, where they change; undefined: uniform
};

}  // namespace wkvq
