#pragma once

#include "core/kernels/packed_kernels.h"
#include "core/kernels/packed_problems.h"

namespace wkvq {
namespace {

/// What the codes of one output stand for in one group: w = (code - zero) * scale + minimum, codes
/// beginning at 0 in every form.
struct WeightGrid {
  float scale, zero, minimum;

  WKVQ_HOST_DEVICE float value(float code) const { return (code - zero) * scale + minimum; }
};

WKVQ_HOST_DEVICE inline WeightGrid weight_grid(const PackedProduct& w, int64_t panel, int64_t group,
                                               int64_t lane) {
  const WeightFormat& f = w.format;
  const int64_t at = panel * f.groups() + group;
  const unsigned char* offsets = w.offsets + at * f.offset_bytes();
  WeightGrid grid{load_stored(w.scales + at * f.scale_bytes(), lane, f.stored), 0.0f, 0.0f};
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
