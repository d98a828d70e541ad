#pragma once

#include "core/kernels/packed_kernels.h"
#include "core/kernels/packed_problems.h"

namespace wkvq {
namespace {

/// What the codes of one output stand for in one group: w = (level - zero) * scale + minimum, the
/// level being the code, which begins at 0 in every form, or an element.
struct WeightGrid {
  float scale, zero, minimum;

  WKVQ_HOST_DEVICE float value(float level) const { return (level - zero) * scale + minimum; }
};

/// Scale `lane` of a group of a panel.
WKVQ_HOST_DEVICE inline float weight_scale(const WeightFormat& f, const unsigned char* scales,
                                           int64_t lane) {
  if (f.scale_width() == 0) return 1.0f;
  if (f.scale_width() > 1) return load_stored(scales, lane, f.stored);
  const uint32_t byte = scales[lane];
  if (f.two_levels()) return element_value(byte, two_level_element(), 0.0f) / f.factor;
  return byte == 0 ? float_of_bits(0x00400000u) : float_of_bits(byte << 23);
}

/// Stores a scale that the format's rule gave. One that two levels cannot hold stands over a group
/// of zeros, whatever it is.
WKVQ_HOST_DEVICE inline void put_weight_scale(const WeightFormat& f, unsigned char* scales,
                                              int64_t lane, float scale) {
  if (f.scale_width() == 0) return;
  if (f.scale_width() > 1) {
    put_stored(scales, lane, scale, f.stored);
    return;
  }
  if (f.two_levels()) {
    const float level = nearest_float(scale * f.factor, two_level_element());
    scales[lane] = level / f.factor == scale ? element_code(level, two_level_element()) : 0;
  } else {
    scales[lane] = static_cast<unsigned char>(bits_of_float(scale) >> 23);
  }
}

WKVQ_HOST_DEVICE inline WeightGrid weight_grid(const PackedProduct& w, int64_t panel, int64_t group,
                                               int64_t lane) {
  const WeightFormat& f = w.format;
  const int64_t at = panel * f.groups() + group;
  const unsigned char* offsets = w.offsets + at * f.offset_bytes();
  WeightGrid grid{weight_scale(f, w.scales + at * f.scale_bytes(), lane), 0.0f, 0.0f};
  if (!f.integers()) return grid;
  if (f.form == QuantForm::kMinimum)
    grid.minimum = load_stored(offsets, lane, f.stored);
  else if (f.form == QuantForm::kSymmetric)
    grid.zero = static_cast<float>(int64_t{1} << (f.bits - 1));
  else if (f.wide_zero)
    grid.zero = load_stored(offsets, lane, ScaleDtype::kFloat32);
  else
    grid.zero = static_cast<float>(stream_code(offsets, static_cast<int>(f.bits), lane));
  return grid;
}

}  // namespace
}  // namespace wkvq
