// Products of packed codes with inputs that are whole numbers too. Included by kernels that are
// compiled once per instruction set.
#pragma once

#include "core/kernels/panel_products.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace wkvq {
namespace {

/// Rows of inputs in blocks of 32, each in the order of input_place(), and the scales of blocks.
struct WholeRows {
  const int8_t* values;
  int64_t stride;
  const float* scales;
  int64_t scale_stride;
};

inline int32_t four_bytes(const int8_t* from) {
  int32_t word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

#if defined(__AVX2__)

#if defined(__AVX512BW__)
#define WKVQ_WIDE(name) _mm512_##name
typedef __m512i WideInts;
#else
#define WKVQ_WIDE(name) _mm256_##name
typedef __m256i WideInts;
#endif

/// For every lane the sum of 32 products of a code of kBits and an input. Up to four bits a pair of
/// products fits 16 bits (15 * 128 * 2), and so do the eight pairs that lie one over the other.
template <int kBits>
struct WholeSum {
  WideInts sum = {};

  /// Of each lane's word the codes at bits kBits * shift of every byte, by the four inputs.
  void add(const Words& words, int shift, const int8_t* inputs) {
    const WideInts x = WKVQ_WIDE(set1_epi32)(four_bytes(inputs));
    const Words codes = words >> (kBits * shift) & (0x01010101u * ((1u << kBits) - 1u));
    sum = WKVQ_WIDE(add_epi16)(sum, WKVQ_WIDE(maddubs_epi16)(reinterpret_cast<WideInts>(codes), x));
  }
  SignedWords total() const {
    const WideInts pairs = WKVQ_WIDE(madd_epi16)(sum, WKVQ_WIDE(set1_epi16)(1));
    return reinterpret_cast<SignedWords>(pairs);
  }
};

/// Pairs of products of two bytes do not fit 16 bits: codes and inputs are widened.
template <>
struct WholeSum<8> {
  WideInts sum = {};

  void add(const Words& words, int /*shift*/, const int8_t* inputs) {
    const WideInts x = WKVQ_WIDE(set1_epi32)(four_bytes(inputs));
    const WideInts even = WKVQ_WIDE(srai_epi16)(WKVQ_WIDE(slli_epi16)(x, 8), 8);
    const WideInts odd = WKVQ_WIDE(srai_epi16)(x, 8);
    const Words low = words & 0x00ff00ffu, high = words >> 8 & 0x00ff00ffu;
    sum = WKVQ_WIDE(add_epi32)(
        sum, WKVQ_WIDE(add_epi32)(WKVQ_WIDE(madd_epi16)(reinterpret_cast<WideInts>(low), even),
                                  WKVQ_WIDE(madd_epi16)(reinterpret_cast<WideInts>(high), odd)));
  }
  SignedWords total() const { return reinterpret_cast<SignedWords>(sum); }
};

#undef WKVQ_WIDE

#else

template <int kBits>
struct WholeSum {
  SignedWords sum = {};

  void add(const Words& words, int shift, const int8_t* inputs) {
    for (int byte = 0; byte < 4; ++byte) {
      const Words codes = words >> (8 * byte + kBits * shift) & ((1u << kBits) - 1u);
      sum += reinterpret_cast<SignedWords>(codes) * static_cast<int32_t>(inputs[byte]);
    }
  }
  SignedWords total() const { return sum; }
};

#endif

/// panel_products of whole numbers: sums over blocks of 32 of the block's scale times a sum of
/// products, which is exact.
template <int kBits, int kPanels, int kRows, class Sink>
inline void whole_products(const Panels& panels, const WholeRows& x, Sink&& sink) {
  constexpr int kShifts = 8 / kBits;
  for (int64_t lane = 0; lane < kPanelLanes; lane += kWidth<float>) {
    Vector<float> sums[kPanels][kRows] = {};
    const uint32_t* words = panels.first + lane;
    for (int64_t i = 0; i < panels.inner; i += kPanelStep) {
      WholeSum<kBits> whole[kPanels][kRows];
#pragma GCC unroll 8
      for (int w = 0; w < kBits; ++w) {
#pragma GCC unroll 4
        for (int p = 0; p < kPanels; ++p) {
          const uint32_t* from = words + p * panels.stride;
          const Words codes = load_words(from);
          __builtin_prefetch(from + panels.ahead);
#pragma GCC unroll 4
          for (int s = 0; s < kShifts; ++s)
#pragma GCC unroll 16
            for (int r = 0; r < kRows; ++r)
              whole[p][r].add(codes, s, x.values + r * x.stride + i + (w * kShifts + s) * 4);
        }
        words += kPanelLanes;
      }
#pragma GCC unroll 4
      for (int p = 0; p < kPanels; ++p)
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r)
          sums[p][r] += x.scales[r * x.scale_stride + i / kPanelStep] *
                        __builtin_convertvector(whole[p][r].total(), Vector<float>);
    }
#pragma GCC unroll 4
    for (int p = 0; p < kPanels; ++p)
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) sink(p, r, lane, sums[p][r]);
  }
}

}  // namespace
}  // namespace wkvq
