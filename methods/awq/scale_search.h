#pragma once

#include "core/calibrate/method.h"
#include "methods/common/scaling_site.h"

namespace wkvq {

/// Result of the search at one site.
struct ScaleChoice {
  at::Tensor scale;          ///< [channels]
  double ratio = 0;          ///< the exponent chosen
  std::vector<double> loss;  ///< mean squared error of the module's output, by ratio of the grid
};

/// s [channels] of `mean` = mean |x_c|: mean^ratio, at least 1e-4, divided by sqrt(max(s) min(s));
/// 1 where mean is 0.
at::Tensor awq_scale(const at::Tensor& mean, double ratio);

/// Searches the exponents 0, 1/ratios, ..., (ratios - 1)/ratios at each of `sites`, one apart from
/// the other, on the calibration inputs of the full-precision model. The output compared is that of
/// attention (behind o_proj) for the input norm, of the MLP for the post norm, else of the linear
/// itself.
std::vector<ScaleChoice> search_scales(const BlockContext& context, const std::vector<Site>& sites,
                                       const QuantSpec& spec, int64_t ratios);

}  // namespace wkvq
