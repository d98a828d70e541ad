#include "core/base/gguf/gguf_blocks.h"

#include <array>
#include <bit>
#include <cstddef>

namespace wkvq::gguf {
namespace {

constexpr int kSmall = 32;  // values of a block of the types without K
constexpr int kLarge = 256;
constexpr std::array<int8_t, 16> kIq4Nl = {-127, -104, -83, -65, -49, -35, -22, -10,
                                           1,    13,   25,  38,  53,  69,  89,  113};

/// The float16 at `data`, exactly.
float half_at(const uint8_t* data) {
  const uint32_t bits = data[0] | uint32_t{data[1]} << 8;
  const uint32_t sign = (bits & 0x8000) << 16;
  const uint32_t exponent = bits >> 10 & 0x1F;
  const uint32_t fraction = bits & 0x3FF;
  if (exponent == 0) {  // zero and subnormals: fraction * 2^-24
    const float value = static_cast<float>(fraction) * 0x1p-24F;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
  }
  const uint32_t wide = exponent == 0x1F ? 0xFF : exponent + (127 - 15);
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

/// Four bits of element `i` of a block of 32: the low ones belong to the first half.
int nibble(const uint8_t* codes, int i) {
  return i < kSmall / 2 ? codes[i] & 0x0F : codes[i - kSmall / 2] >> 4;
}

/// The fifth bit of element `i`, at its place.
int fifth_bit(const uint8_t* bits, int i) {
  return (bits[i / 8] >> (i % 8) & 1) << 4;
}

/// Scale and minimum of each of the 8 groups of 32 of Q4_K and Q5_K, 6 bits each in 12 bytes.
struct GroupScales {
  std::array<float, 8> scale, minimum;

  explicit GroupScales(const uint8_t* block) {
    const float d = half_at(block);
    const float least = half_at(block + 2);
    const uint8_t* packed = block + 4;
    for (size_t i = 0; i < 4; ++i) {
      scale[i] = d * static_cast<float>(packed[i] & 0x3F);
      minimum[i] = least * static_cast<float>(packed[4 + i] & 0x3F);
      const int low = packed[8 + i] & 0x0F;
      const int high = packed[8 + i] >> 4;
      scale[4 + i] = d * static_cast<float>(low | (packed[i] >> 2 & 0x30));
      minimum[4 + i] = least * static_cast<float>(high | (packed[4 + i] >> 2 & 0x30));
    }
  }
};

/// The 16 signed 6-bit scales of Q3_K: low four bits in bytes 0 ... 7, high two in 8 ... 11.
int q3_scale(const uint8_t* packed, int group) {
  const int low = group < 8 ? packed[group] & 0x0F : packed[group - 8] >> 4;
  const int high = packed[8 + group % 4] >> (2 * (group / 4)) & 3;
  return (low | high << 4) - 32;
}

}  // namespace

void decode_q4_0(const uint8_t* data, float* out) {
  const float d = half_at(data);
  for (int i = 0; i < kSmall; ++i) out[i] = d * static_cast<float>(nibble(data + 2, i) - 8);
}

void decode_q4_1(const uint8_t* data, float* out) {
  const float d = half_at(data);
  const float least = half_at(data + 2);
  for (int i = 0; i < kSmall; ++i) out[i] = d * static_cast<float>(nibble(data + 4, i)) + least;
}

void decode_q5_0(const uint8_t* data, float* out) {
  const float d = half_at(data);
  for (int i = 0; i < kSmall; ++i) {
    out[i] = d * static_cast<float>((nibble(data + 6, i) | fifth_bit(data + 2, i)) - 16);
  }
}

void decode_q5_1(const uint8_t* data, float* out) {
  const float d = half_at(data);
  const float least = half_at(data + 2);
  for (int i = 0; i < kSmall; ++i) {
    out[i] = d * static_cast<float>(nibble(data + 8, i) | fifth_bit(data + 4, i)) + least;
  }
}

void decode_q8_0(const uint8_t* data, float* out) {
  const float d = half_at(data);
  for (int i = 0; i < kSmall; ++i) {
    out[i] = d * static_cast<float>(static_cast<int8_t>(data[2 + i]));
  }
}

void decode_iq4_nl(const uint8_t* data, float* out) {
  const float d = half_at(data);
  for (int i = 0; i < kSmall; ++i) {
    out[i] = d * static_cast<float>(kIq4Nl[static_cast<size_t>(nibble(data + 2, i))]);
  }
}

void decode_q2_k(const uint8_t* data, float* out) {
  const uint8_t* scales = data;
  const uint8_t* codes = data + 16;
  const float d = half_at(data + 80);
  const float least = half_at(data + 82);
  for (int i = 0; i < kLarge; ++i) {
    const uint8_t packed = scales[i / 16];
    const int code = codes[i / 128 * 32 + i % 32] >> (2 * (i / 32 % 4)) & 3;
    const float scale = d * static_cast<float>(packed & 0x0F);
    const float minimum = least * static_cast<float>(packed >> 4);
    out[i] = scale * static_cast<float>(code) - minimum;
  }
}

void decode_q3_k(const uint8_t* data, float* out) {
  const uint8_t* high = data;
  const uint8_t* codes = data + 32;
  const float d = half_at(data + 108);
  for (int i = 0; i < kLarge; ++i) {
    const float scale = d * static_cast<float>(q3_scale(data + 96, i / 16));
    const int low = codes[i / 128 * 32 + i % 32] >> (2 * (i / 32 % 4)) & 3;
    // The third bit says that nothing is subtracted.
    const int offset = (high[i % 32] >> (i / 32) & 1) == 1 ? 0 : 4;
    out[i] = scale * static_cast<float>(low - offset);
  }
}

void decode_q4_k(const uint8_t* data, float* out) {
  const GroupScales groups(data);
  const uint8_t* codes = data + 16;
  for (int i = 0; i < kLarge; ++i) {
    const auto group = static_cast<size_t>(i / 32);
    const int code = codes[i / 64 * 32 + i % 32] >> (4 * (i / 32 % 2)) & 0x0F;
    out[i] = groups.scale[group] * static_cast<float>(code) - groups.minimum[group];
  }
}

void decode_q5_k(const uint8_t* data, float* out) {
  const GroupScales groups(data);
  const uint8_t* high = data + 16;
  const uint8_t* codes = data + 48;
  for (int i = 0; i < kLarge; ++i) {
    const auto group = static_cast<size_t>(i / 32);
    const int low = codes[i / 64 * 32 + i % 32] >> (4 * (i / 32 % 2)) & 0x0F;
    const int code = low | (high[i % 32] >> (i / 32) & 1) << 4;
    out[i] = groups.scale[group] * static_cast<float>(code) - groups.minimum[group];
  }
}

void decode_q6_k(const uint8_t* data, float* out) {
  const uint8_t* low = data;
  const uint8_t* high = data + 128;
  const float d = half_at(data + 208);
  for (int i = 0; i < kLarge; ++i) {
    const float scale = d * static_cast<float>(static_cast<int8_t>(data[192 + i / 16]));
    const int four = low[i / 128 * 64 + i % 64] >> (4 * (i / 64 % 2)) & 0x0F;
    const int two = high[i / 128 * 32 + i % 32] >> (2 * (i / 32 % 4)) & 3;
    out[i] = scale * static_cast<float>((four | two << 4) - 32);
  }
}

}  // namespace wkvq::gguf
