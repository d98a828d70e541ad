#pragma once

#include <map>
#include <string>

#include "core/calibrate/method.h"
#include "core/number/quant_spec.h"

namespace wkvq {

/// Where learned clipping begins: nearly the whole range, or where a search puts every group.
enum class ClipStart { kRange, kSearch };

/// The first factor on the range of every group of every linear of `weights`, [rows, groups].
/// kRange: 1 - 1 / (4 n), a quarter of a step at each end, n the highest code; for 4 bits that is
/// OmniQuant's sigmoid(4), whose constant would cost 8 bits two whole steps. kSearch: the one of
/// that, 0.95, 0.9, ..., 0.5 which costs least, sum over the group of E[x^2] (w - w')^2 with x the
/// linear's calibration inputs.
std::map<std::string, at::Tensor> clip_start(const BlockContext& context, BlockWeights weights,
                                             const QuantSpec& spec, ClipStart start);

}  // namespace wkvq
