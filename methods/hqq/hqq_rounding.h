#pragma once

#include "core/base/options/options.h"
#include "core/number/weight_codes.h"

namespace wkvq {

/// How HQQ looks for offsets (Badri and Shaji 2023, hqq/core/optimize.py).
struct HqqOptions {
  int64_t iterations = 20;
  double p = 0.7;       ///< of the norm |W - W'|^p that is lowered
  double beta = 10;     ///< weight of its penalty at first
  double kappa = 1.01;  ///< factor on beta each time

  void visit(OptionVisitor& v);
};

/// Rounds `weight` [out, in] to the scales of `spec`, form minimum, with the offset m of each group
/// moved. In turn, from the group's smallest element:
///   q = clamp(round((w - m) / s)),   e = shrink(w - (q s + m)),   m = mean(w - e - q s),
/// shrink(x) = sign(x) max(0, |x| - |x|^(p - 1) / beta): large errors count as outliers, the others
/// move m. The reference stops when the mean absolute error of the matrix rises; here each group
/// keeps its best m, so none ends worse than it began. Needs no data.
RoundedWeight hqq_round(const at::Tensor& weight, const QuantSpec& spec, const HqqOptions& options,
                        bool keep_codes);

}  // namespace wkvq
