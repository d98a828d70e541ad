#pragma once

#include "core/kernels/panel_codes.h"

namespace wkvq {

/// How a weight [out, in] is stored: panels of 16 outputs, groups along the input. Whole numbers
/// have 2, 3, 4 or 8 bits, other elements 4 or 8.
struct WeightFormat {
  int64_t bits = 4, out = 0, in = 0;
  /// Multiple of 32, or at least `in`: one group a row. Of other elements 16 too.
  int64_t group = 0;
  ScaleDtype stored = ScaleDtype::kFloat16;
  QuantForm form = QuantForm::kZeroPoint;
  bool wide_zero = false;  ///< zero points as float32; else in `bits` bits
  // Of other elements.
  Element element{};
  ScaleRule rule = ScaleRule::kLargest;  ///< some store a scale in a byte or none, see scale_width
  float factor = 1;                      ///< of the tensor: a scale is a number of e4m3 over it

  /// Bytes of a scale: a power of two (e8m0) and one of two levels (e4m3) take one.
  constexpr int64_t scale_width() const {
    if (rule == ScaleRule::kOne) return 0;
    if (rule == ScaleRule::kPowerFloor || rule == ScaleRule::kPowerCeil || two_levels()) return 1;
    return stored_scale_bytes(stored);
  }
  constexpr bool two_levels() const {
    return rule == ScaleRule::kTwoLevels || rule == ScaleRule::kFourOverSix;
  }
  constexpr bool integers() const { return element.kind == ElementKind::kInteger; }
  constexpr int64_t groups() const { return (in + group - 1) / group; }
  constexpr int64_t panels() const { return (out + kPanelLanes - 1) / kPanelLanes; }
  constexpr int64_t padded_in() const { return round_up_to(in, kPanelStep); }
  /// Bytes of the scales of one group of a panel, and of its zero points or minima.
  constexpr int64_t scale_bytes() const { return kPanelLanes * scale_width(); }
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
