#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "core/number/quantizer.h"

namespace wkvq {

/// The codes of a weight [out, in] and what they follow: decode(encoded) is the weight.
struct WeightCodes {
  Encoded encoded;
  QuantSpec spec;
};

/// A weight on its grid.
struct RoundedWeight {
  at::Tensor weight;                         ///< [out, in], dtype of what was rounded
  std::shared_ptr<const WeightCodes> codes;  ///< null where none were asked for
};

/// `weight` rounded to nearest, its ranges clipped where `clip` is defined: fake_quantize or
/// fake_quantize_clipped. With `keep_codes` also the codes, without a gradient.
RoundedWeight round_weight(const at::Tensor& weight, const QuantSpec& spec, bool keep_codes,
                           const ClipRatios& clip = {});

}  // namespace wkvq
