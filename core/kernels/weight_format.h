#pragma once

#include "core/kernels/panel_codes.h"

namespace wkvq {

/// How a weight [out, in] is stored: panels of 16 outputs, groups along the input.
struct WeightFormat {
  int64_t bits = 4, out = 0, in = 0;
  int64_t group = 0;  ///< multiple of 32, or at least `in`: one group a row
  ScaleDtype stored = ScaleDtype::kFloat16;
  QuantForm form = QuantForm::kZeroPoint;
  bool wide_zero = false;  ///< zero points as float32; else in `bits` bits

  constexpr int64_t groups() const { return (in + group - 1) / group; }
  constexpr int64_t panels() const { return (out + kPanelLanes - 1) / kPanelLanes; }
  constexpr int64_t padded_in() const { return round_up_to(in, kPanelStep); }
  /// Bytes of the scales of one group of a panel, and of its zero points or minima.
  constexpr int64_t scale_bytes() const { return kPanelLanes * stored_scale_bytes(stored); }
  constexpr int64_t offset_bytes() const {
    if (form == QuantForm::kSymmetric) return 0;
    if (form == QuantForm::kMinimum) return scale_bytes();
    return wide_zero ? kPanelLanes * 4 : kPanelLanes * bits / 8;
  }
  constexpr int64_t code_bytes() const { return panels() * panel_words(bits, padded_in()) * 4; }
  constexpr int64_t bytes() const {
    return code_bytes() + panels() * groups() * (scale_bytes() + offset_bytes());
  }
};

}  // namespace wkvq
