// The product that decode attention and packed weights are made of. Included by kernels that are
// compiled once per instruction set.
#pragma once

#include "core/kernels/packed_kernels.h"
#include "core/kernels/packed_problems.h"
#include "core/kernels/vector_exp.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

#define WKVQ_CONCAT_(a, b) a##b
#define WKVQ_CONCAT(a, b) WKVQ_CONCAT_(a, b)
#define WKVQ_PACKED_NAME(name) WKVQ_CONCAT(packed_##name##_, WKVQ_ISA)

namespace wkvq {
namespace {

typedef uint32_t Words __attribute__((vector_size(kVectorBytes)));
typedef int32_t SignedWords __attribute__((vector_size(kVectorBytes)));

// Accumulators that fit the registers beside the codes.
#ifdef __AVX512F__
constexpr int kAccumulators = 16;
#else
constexpr int kAccumulators = 8;
#endif

/// Panels worked on together for a number of rows: independent sums hide the latency of an
/// addition.
template <int kRows>
constexpr int kPanelsOf = kAccumulators / kRows > 4   ? 4
                          : kAccumulators / kRows < 1 ? 1
                                                      : kAccumulators / kRows;

inline Words load_words(const uint32_t* from) {
  Words x;
  std::memcpy(&x, from, sizeof x);
  return x;
}

/// Some codes of every lane, unpacked to floats one by one; kCodes of them lie in kWords rows.
template <int kBits>
struct PanelStep {
  static constexpr int kCodes = 32 / kBits, kWords = 1;
  Words words;

  explicit PanelStep(const uint32_t* from) : words(load_words(from)) {}

  Vector<float> code(int i) const {
#ifdef __AVX512F__
    // The permutation looks at four bits of its index only: no mask.
    if constexpr (kBits <= 4) return lookup<kBits>(words >> (kBits * i));
#endif
    return to_float(words >> (kBits * i) & ((1u << kBits) - 1u));
  }

  static Vector<float> to_float(const Words& codes) {
    return __builtin_convertvector(reinterpret_cast<const SignedWords&>(codes), Vector<float>);
  }

#ifdef __AVX512F__
  /// The low kTableBits bits of every index as a float. (GCC 12 warns of the form without a mask.)
  template <int kTableBits>
  static Vector<float> lookup(const Words& index) {
    constexpr int kMask = (1 << kTableBits) - 1;
    const Vector<float> table{0 & kMask,  1 & kMask,  2 & kMask,  3 & kMask, 4 & kMask,  5 & kMask,
                              6 & kMask,  7 & kMask,  8 & kMask,  9 & kMask, 10 & kMask, 11 & kMask,
                              12 & kMask, 13 & kMask, 14 & kMask, 15 & kMask};
    return reinterpret_cast<Vector<float>>(_mm512_maskz_permutexvar_ps(
        0xffff, reinterpret_cast<__m512i>(index), reinterpret_cast<__m512>(table)));
  }
#endif
};

template <>
struct PanelStep<3> {
  static constexpr int kCodes = 32, kWords = 3;
  Words low, middle, high;

  explicit PanelStep(const uint32_t* from)
      : low(load_words(from)),
        middle(load_words(from + kPanelLanes)),
        high(load_words(from + 2 * kPanelLanes)) {}

  Vector<float> code(int i) const {
    const Words pair = (i < 16 ? low : middle) >> (2 * (i % 16));
    const Words bit = i < 2 ? high << (2 - i) : high >> (i - 2);
    const Words index = (pair & 3u) | (bit & ~3u);
#ifdef __AVX512F__
    return PanelStep<4>::lookup<3>(index);
#else
    return PanelStep<4>::to_float(index & 7u);
#endif
  }
};

/// Panels whose codes are multiplied: the first one, the distance to the next, codes of a lane.
struct Panels {
  const uint32_t* first;
  int64_t stride;
  int64_t inner;
  /// Words from a code to the one that stands in its place in the next panels to be read. The
  /// processor's own prefetching finds no stream in pieces of a few kilobytes.
  int64_t ahead;
};

/// Codes as the numbers that they are.
struct PlainCodes {
  template <class Step>
  Vector<float> operator()(const Step& step, int i) const {
    return step.code(i);
  }
};

/// Codes of 4 bits as a table has them.
struct TableCodes {
  const float* table;

  Vector<float> operator()(const PanelStep<4>& step, int i) const {
    const Words index = step.words >> (4 * i);
#if defined(__AVX512F__)
    return reinterpret_cast<Vector<float>>(_mm512_maskz_permutexvar_ps(
        0xffff, reinterpret_cast<__m512i>(index), _mm512_loadu_ps(table)));
#elif defined(__AVX2__)
    // The permutations look at three bits; the fourth says which of them counts.
    const __m256i places = reinterpret_cast<__m256i>(index);
    const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), places);
    const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), places);
    return reinterpret_cast<Vector<float>>(
        _mm256_blendv_ps(low, high, reinterpret_cast<__m256>(index << 28)));
#else
    Vector<float> values;
    for (int64_t lane = 0; lane < kWidth<float>; ++lane) values[lane] = table[index[lane] & 15u];
    return values;
#endif
  }
};

/// Floats of 8 bits: exponent and mantissa move to those of float32, whose bias makes the rest a
/// factor. What is subnormal here is so there, and comes out as it should.
struct FloatCodes {
  int shift;
  float factor;

  explicit FloatCodes(const Element& element)
      : shift(23 - element.mantissa_bits),
        factor(power_of_two(126 + element.lowest_exponent, 0.0f)) {}

  Vector<float> operator()(const PanelStep<8>& step, int i) const {
    const Words code = step.words >> (8 * i);
    const Words size = (code & 0x7fu) << shift, sign = (code & 0x80u) << 24;
    const Vector<float> value = reinterpret_cast<Vector<float>>(size) * factor;
    return reinterpret_cast<Vector<float>>(reinterpret_cast<Words>(value) | sign);
  }
};

/// Calls sink(p, r, lane, sums) for kPanels panels, kRows rows of x ([kRows, x_stride]) and every
/// vector of lanes, where sums = sum over i < inner of x[r][i] times what the codes i of the lanes
/// are.
template <int kBits, int kPanels, int kRows, class Sink, class Codes = PlainCodes>
inline void panel_products(const Panels& panels, const float* x, int64_t x_stride, Sink&& sink,
                           const Codes& codes = {}) {
  using Step = PanelStep<kBits>;
  for (int64_t lane = 0; lane < kPanelLanes; lane += kWidth<float>) {
    Vector<float> sums[kPanels][kRows] = {};
    const uint32_t* words = panels.first + lane;
    for (int64_t i = 0; i < panels.inner; i += Step::kCodes) {
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p) {
        const uint32_t* from = words + p * panels.stride;
        const Step step(from);
#pragma GCC unroll 3
        for (int w = 0; w < Step::kWords; ++w)
          __builtin_prefetch(from + w * kPanelLanes + panels.ahead);
#pragma GCC unroll 32
        for (int j = 0; j < Step::kCodes; ++j) {
          const Vector<float> code = codes(step, j);
#pragma GCC unroll 16
          for (int r = 0; r < kRows; ++r) sums[p][r] += x[r * x_stride + i + j] * code;
        }
      }
      words += Step::kWords * kPanelLanes;
    }
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p)
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) sink(p, r, lane, sums[p][r]);
  }
}

/// A number as a type.
template <int kValue>
struct Constant {
  static constexpr int value = kValue;
};

/// Calls f(Constant<bits>{}).
template <class F>
void with_bits(int64_t bits, F&& f) {
  if (bits == 2) return f(Constant<2>{});
  if (bits == 3) return f(Constant<3>{});
  if (bits == 4) return f(Constant<4>{});
  f(Constant<8>{});
}

/// Calls f(Constant<panels>{}) with the most panels, kMost or a half of it and so on, that divide
/// `count`.
template <int kMost, class F>
void with_panels(int64_t count, F&& f) {
  if constexpr (kMost > 1)
    if (count % kMost != 0) return with_panels<kMost / 2>(count, f);
  f(Constant<kMost>{});
}

/// Cuts rows into blocks of 8, 4, 2 and 1: f(Constant<rows of the block>{}, its first row).
template <class F>
void for_row_blocks(int64_t rows, F&& f) {
  int64_t first = 0;
  for (; rows - first >= 8; first += 8) f(Constant<8>{}, first);
  if (rows - first >= 4) f(Constant<4>{}, first), first += 4;
  if (rows - first >= 2) f(Constant<2>{}, first), first += 2;
  if (rows - first >= 1) f(Constant<1>{}, first);
}

/// float_of_half of a vector: the compiler leaves the plain loop scalar.
inline void load_halves(const uint16_t* from, float* to) {
  typedef uint16_t Halves __attribute__((vector_size(kVectorBytes / 2)));
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  const Words wide = __builtin_convertvector(halves, Words);
  const Vector<float> size = reinterpret_cast<Vector<float>>((wide & 0x7fffu) << 13) * 0x1p112f;
  store(to,
        reinterpret_cast<Vector<float>>(reinterpret_cast<Words>(size) | (wide & 0x8000u) << 16));
}

/// Stored numbers [from, from + count) as floats.
inline void load_all(const void* from, int64_t count, ScaleDtype stored, float* to) {
  if (stored == ScaleDtype::kFloat16) {
    const uint16_t* halves = static_cast<const uint16_t*>(from);
    const int64_t vectors = count / kWidth<float> * kWidth<float>;
    for (int64_t i = 0; i < vectors; i += kWidth<float>) load_halves(halves + i, to + i);
    for (int64_t i = vectors; i < count; ++i) to[i] = float_of_half(halves[i]);
    return;
  }
  for (int64_t i = 0; i < count; ++i) to[i] = load_stored(from, i, stored);
}

}  // namespace
}  // namespace wkvq
