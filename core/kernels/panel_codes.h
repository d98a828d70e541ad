#pragma once

#include <cstdint>
#include <cstring>

#include "core/kernels/group_math.h"

// Where packed codes lie, and how scales are stored: index arithmetic only, shared by the CPU
// kernels and device code.
//
// Codes lie in panels of 16 lanes. A lane holds `inner` codes (a multiple of 32) in 32-bit words,
// and word w of the 16 lanes is one row of 16 words, so that one vector load brings the same codes
// of all lanes:
//   2, 4, 8 bits: code i in word i / (32 / bits), at bit bits * (i % (32 / bits));
//   3 bits: every 32 codes take three words: the low two bits of codes 0-15 and of 16-31, like 2
//   bits, then the high bits, code i at bit i.
// A product sums over `inner` and has one result a lane. Keys: lanes are tokens, inner are
// channels. Values: lanes are channels, inner are tokens. Weights: lanes are outputs, inner are
// inputs.
namespace wkvq {

constexpr int64_t kPanelLanes = 16;
/// Codes of a lane come in multiples of it.
constexpr int64_t kPanelStep = 32;

constexpr bool packable_bits(int64_t bits) {
  return bits == 2 || bits == 3 || bits == 4 || bits == 8;
}

constexpr int64_t round_up_to(int64_t n, int64_t step) {
  return (n + step - 1) / step * step;
}

/// Words of a panel whose lanes hold `inner` codes each.
constexpr int64_t panel_words(int64_t bits, int64_t inner) {
  return inner * bits / 32 * kPanelLanes;
}

constexpr int64_t stored_scale_bytes(ScaleDtype stored) {
  return stored == ScaleDtype::kFloat16 || stored == ScaleDtype::kBfloat16 ? 2 : 4;
}

namespace {

/// Where a code, or a part of it, lies: word of the lane and bit.
struct CodePlace {
  int64_t word;
  int shift;
};

/// Where code i of a lane begins; with 3 bits its low two bits.
WKVQ_HOST_DEVICE inline CodePlace code_place(int bits, int64_t i) {
  if (bits == 3) return {i / kPanelStep * 3 + i % kPanelStep / 16, 2 * static_cast<int>(i % 16)};
  const int64_t per_word = 32 / bits;
  return {i / per_word, bits * static_cast<int>(i % per_word)};
}

/// Where the high bit of code i lies with 3 bits.
WKVQ_HOST_DEVICE inline CodePlace high_bit_place(int64_t i) {
  return {i / kPanelStep * 3 + 2, static_cast<int>(i % kPanelStep)};
}

/// Code i of lane `lane`.
WKVQ_HOST_DEVICE inline uint32_t panel_code(const uint32_t* panel, int bits, int64_t i,
                                            int64_t lane) {
  const CodePlace at = code_place(bits, i);
  const uint32_t word = panel[at.word * kPanelLanes + lane] >> at.shift;
  if (bits != 3) return word & ((1u << bits) - 1u);
  const CodePlace high = high_bit_place(i);
  return (word & 3u) | ((panel[high.word * kPanelLanes + lane] >> high.shift) & 1u) << 2;
}

/// Puts a code where zeros are.
WKVQ_HOST_DEVICE inline void put_panel_code(uint32_t* panel, int bits, int64_t i, int64_t lane,
                                            uint32_t code) {
  const CodePlace at = code_place(bits, i);
  panel[at.word * kPanelLanes + lane] |= (bits == 3 ? code & 3u : code) << at.shift;
  if (bits != 3) return;
  const CodePlace high = high_bit_place(i);
  panel[high.word * kPanelLanes + lane] |= code >> 2 << high.shift;
}

/// Code i of a little-endian bit stream, as pack_codes makes it.
WKVQ_HOST_DEVICE inline uint32_t stream_code(const unsigned char* stream, int bits, int64_t i) {
  const int64_t at = i * bits;
  uint32_t word = stream[at / 8];
  if (at % 8 + bits > 8) word |= static_cast<uint32_t>(stream[at / 8 + 1]) << 8;
  return (word >> (at % 8)) & ((1u << bits) - 1u);
}

WKVQ_HOST_DEVICE inline float float_of_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

WKVQ_HOST_DEVICE inline uint32_t bits_of_float(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

/// Stored numbers are finite, so exponents need only be moved; float32 keeps subnormals of float16
/// exactly.
WKVQ_HOST_DEVICE inline float float_of_half(uint16_t half) {
  const uint32_t wide = half;
  const float magnitude = float_of_bits((wide & 0x7fffu) << 13) * 0x1p112f;
  return float_of_bits(bits_of_float(magnitude) | (wide & 0x8000u) << 16);
}

/// Of a number that float16 holds exactly.
WKVQ_HOST_DEVICE inline uint16_t half_of_float(float x) {
  const uint32_t sign = bits_of_float(x) >> 16 & 0x8000u;
  const uint32_t magnitude = bits_of_float(fabsf(x) * 0x1p-112f) >> 13;
  return static_cast<uint16_t>(sign | magnitude);
}

WKVQ_HOST_DEVICE inline float load_stored(const void* from, int64_t i, ScaleDtype stored) {
  if (stored_scale_bytes(stored) == 4) return static_cast<const float*>(from)[i];
  const uint16_t half = static_cast<const uint16_t*>(from)[i];
  if (stored == ScaleDtype::kFloat16) return float_of_half(half);
  return float_of_bits(static_cast<uint32_t>(half) << 16);
}

/// `x` is a number that `stored` holds exactly.
WKVQ_HOST_DEVICE inline void put_stored(void* to, int64_t i, float x, ScaleDtype stored) {
  if (stored_scale_bytes(stored) == 4)
    static_cast<float*>(to)[i] = x;
  else
    static_cast<uint16_t*>(to)[i] = stored == ScaleDtype::kFloat16
                                        ? half_of_float(x)
                                        : static_cast<uint16_t>(bits_of_float(x) >> 16);
}

}  // namespace

}  // namespace wkvq
