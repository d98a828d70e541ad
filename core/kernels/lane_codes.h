#pragma once

#include "core/kernels/panel_codes.h"

namespace wkvq {
namespace {

/// Some codes of one lane of a panel, whose words have been read: kCodes codes in kWords words.
template <int kBits>
struct LaneCodes {
  static constexpr int kCodes = 32 / kBits, kWords = 1;
  uint32_t word;

  /// `lane`: the first of the words; see panel_codes.h.
  WKVQ_HOST_DEVICE explicit LaneCodes(const uint32_t* lane) : word(lane[0]) {}
  WKVQ_HOST_DEVICE uint32_t bits(int i) const { return word >> (kBits * i) & ((1u << kBits) - 1u); }
  WKVQ_HOST_DEVICE float code(int i) const { return static_cast<float>(bits(i)); }
};

template <>
struct LaneCodes<3> {
  static constexpr int kCodes = 32, kWords = 3;
  uint32_t low, middle, high;

  WKVQ_HOST_DEVICE explicit LaneCodes(const uint32_t* lane)
      : low(lane[0]), middle(lane[kPanelLanes]), high(lane[2 * kPanelLanes]) {}
  WKVQ_HOST_DEVICE float code(int i) const {
    const uint32_t pair = (i < 16 ? low : middle) >> (2 * (i % 16)) & 3u;
    return static_cast<float>(pair | (high >> i & 1u) << 2);
  }
};

/// Calls f(LaneCodes<kBits>{...}, i) for the codes i, i + kCodes, ... of [0, inner) of a lane.
template <int kBits, class F>
WKVQ_HOST_DEVICE inline void for_lane_codes(const uint32_t* lane, int64_t inner, F&& f) {
  using Codes = LaneCodes<kBits>;
  for (int64_t i = 0; i < inner; i += Codes::kCodes, lane += Codes::kWords * kPanelLanes)
    f(Codes(lane), i);
}

}  // namespace
}  // namespace wkvq
