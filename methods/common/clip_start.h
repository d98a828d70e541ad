#pragma once

#include <map>
#include <string>

#include "core/method.h"
#include "core/quant_spec.h"

namespace wkvq {

/// Where learned clipping begins: for every group of every linear of `weights` the factor on its
/// range, [rows, groups], out of 1 - 1 / (4 n) (a quarter of a step at each end, n = highest code),
/// 0.95, 0.9, ..., 0.5, that costs least: sum over the group of E[x^2] (w - w')^2, x the linear's
/// calibration inputs. OmniQuant begins at sigmoid(4) = 0.982 everywhere, which leaves short
/// training far from the optimum at few bits and costs 8 bits two whole steps.
std::map<std::string, at::Tensor> clip_start(const BlockContext& context, BlockWeights weights,
                                             const QuantSpec& spec);

}  // namespace wkvq
