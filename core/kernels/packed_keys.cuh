// Scores of packed keys on a device: a thread is a token, all rows of the block at once.
#pragma once

#include "core/kernels/device_problems.h"
#include "core/kernels/lane_codes.h"
#include "core/kernels/launch.h"

namespace wkvq {
namespace {

/// Groups of a head, or of the tokens of a span.
constexpr int64_t kMaxSpanGroups =
    kMaxGroups > kSpanTokens / kPanelLanes ? kMaxGroups : kSpanTokens / kPanelLanes;

/// kRows queries in the memory of a block.
template <int kRows>
struct SpanQueries {
  float query[kRows][kMaxHeadDim];
  /// Of the query over the channels of a group; along time weighted by the minima of a group.
  float sums[kRows][kMaxSpanGroups];
};

/// The keys of one head.
template <int kRows>
class PackedKeys {
 public:
  __device__ PackedKeys(const KvFormat& format, SpanQueries<kRows>& queries)
      : format_(format), queries_(queries) {}

  /// The whole block fills `sums` for the first `tokens` tokens of the span, whose pages are
  /// `part(page)`.
  template <class Part>
  __device__ void sum_queries(int64_t tokens, const Part& part) {
    const int64_t pages = format_.along_time ? (tokens + kPageTokens - 1) / kPageTokens : 1;
    const int64_t groups = format_.groups() * pages;
    for (int64_t i = threadIdx.x; i < kRows * groups; i += blockDim.x) {
      const int64_t r = i / groups, g = i % groups;
      queries_.sums[r][g] = format_.along_time
                                ? sum_of_minima(part(g / format_.groups()), r, g % format_.groups())
                                : sum_of_group(r, g);
    }
  }

  /// Token t of the span, in page `keys`.
  __device__ void score(const KvPart& keys, int64_t t, float* scores) const {
    if (format_.bits == 2) score_packed<2>(keys, t, scores);
    if (format_.bits == 3) score_packed<3>(keys, t, scores);
    if (format_.bits == 4) score_packed<4>(keys, t, scores);
    if (format_.bits == 8) score_packed<8>(keys, t, scores);
  }

 private:
  __device__ float sum_of_group(int64_t r, int64_t g) const {
    const float* of_group = queries_.query[r] + g * format_.group;
    float sum = 0;
    for (int64_t c = 0; c < format_.group; ++c) sum += of_group[c];
    return sum;
  }

  /// Group g of the tokens of a page.
  __device__ float sum_of_minima(const KvPart& keys, int64_t r, int64_t g) const {
    const int64_t at = format_.scale_index(g * format_.group, 0);
    float sum = 0;
    for (int64_t c = 0; c < format_.dim; ++c)
      sum = fmaf(queries_.query[r][c], load_stored(keys.minima(), at + c, format_.stored), sum);
    return sum;
  }

  template <int kBits>
  __device__ void score_packed(const KvPart& keys, int64_t t, float* scores) const {
    if (format_.along_time)
      score_along_time<kBits>(keys, t, scores);
    else
      score_token_wise<kBits>(keys, t % kPageTokens, scores);
  }

  template <int kBits>
  __device__ void score_token_wise(const KvPart& keys, int64_t slot, float* scores) const {
    const int64_t group = format_.group;
    for (int64_t g = 0; g < format_.groups(); ++g) {
      const uint32_t* lane =
          keys.panel(slot / kPanelLanes) + panel_words(kBits, g * group) + slot % kPanelLanes;
      float products[kRows] = {};
      for_lane_codes<kBits>(lane, group, [&](const LaneCodes<kBits>& codes, int64_t i) {
        for (int j = 0; j < codes.kCodes; ++j) {
          const float code = codes.code(j);
          for (int64_t r = 0; r < kRows; ++r)
            products[r] = fmaf(queries_.query[r][g * group + i + j], code, products[r]);
        }
      });
      const int64_t at = g * kPageTokens + slot;
      const float scale = load_stored(keys.scales(), at, format_.stored);
      const float minimum = load_stored(keys.minima(), at, format_.stored);
      for (int64_t r = 0; r < kRows; ++r)
        scores[r] =
            (g == 0 ? 0.0F : scores[r]) + scale * products[r] + minimum * queries_.sums[r][g];
    }
  }

  /// Neighbouring threads are tokens of one group, which read the same scales.
  template <int kBits>
  __device__ void score_along_time(const KvPart& keys, int64_t t, float* scores) const {
    const int64_t slot = t % kPageTokens, grid = format_.scale_index(slot, 0);
    const uint32_t* lane = keys.panel(slot / kPanelLanes) + slot % kPanelLanes;
    for (int64_t r = 0; r < kRows; ++r) scores[r] = queries_.sums[r][t / format_.group];
    for_lane_codes<kBits>(lane, format_.dim, [&](const LaneCodes<kBits>& codes, int64_t i) {
      for (int j = 0; j < codes.kCodes; ++j) {
        const float scaled =
            codes.code(j) * load_stored(keys.scales(), grid + i + j, format_.stored);
        for (int64_t r = 0; r < kRows; ++r)
          scores[r] = fmaf(queries_.query[r][i + j], scaled, scores[r]);
      }
    });
  }

  const KvFormat& format_;
  SpanQueries<kRows>& queries_;
};

}  // namespace
}  // namespace wkvq
