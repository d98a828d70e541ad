// Decode attention on a device. Threads of a block are the tokens of a span when it scores keys and
// the channels of a head when it adds values: either way one lane of a panel each.
#pragma once

#include <cmath>

#include "core/kernels/device_problems.h"
#include "core/kernels/lane_codes.h"
#include "core/kernels/launch.h"
#include "core/kernels/packed_keys.cuh"
#include "core/kernels/warp.cuh"

namespace wkvq {
namespace {

/// What a block keeps of its span.
template <int kRows>
struct SpanMemory {
  SpanQueries<kRows> queries;
  float scores[kRows][kSpanTokens];                                          // then weights
  float scale[kMaxGroups * kPageTokens], minimum[kMaxGroups * kPageTokens];  // of one page
};

/// kRows queries of one kv head against one span.
template <int kRows>
class SpanBlock {
 public:
  __device__ SpanBlock(const DeviceDecode& problem, SpanMemory<kRows>& memory)
      : p_(problem),
        span_(problem.spans[blockIdx.x]),
        memory_(memory),
        keys_(problem.key, memory.queries),
        head_(blockIdx.y),
        first_row_(static_cast<int64_t>(blockIdx.z) * kRows),
        dim_(problem.key.dim) {}

  __device__ void attend() {
    read_queries();
    __syncthreads();
    for (int64_t t = threadIdx.x; t < kSpanTokens; t += blockDim.x) score(t);
    __syncthreads();
    for (int64_t r = threadIdx.x / kWarp; r < kRows; r += blockDim.x / kWarp) weigh(r);
    __syncthreads();
    float sums[kRows] = {};
    if (span_.value)
      add_exact(sums);
    else
      add_packed(sums);
    // Loops over rows have a fixed number of steps: so arrays of rows stay in registers.
    for (int64_t r = 0; r < kRows; ++r)
      if (threadIdx.x < dim_ && r < rows()) p_.sums[partial(r) * dim_ + threadIdx.x] = sums[r];
  }

 private:
  /// The keys: values are packed where none are given.
  __device__ bool packed() const { return span_.pages[0] != nullptr; }
  __device__ int64_t rows() const {
    return p_.rows - first_row_ < kRows ? p_.rows - first_row_ : kRows;
  }
  /// Row r of the block among the queries, and among the partial results.
  __device__ int64_t query(int64_t r) const {
    return (span_.batch * p_.kv_heads + head_) * p_.rows + first_row_ + r;
  }
  __device__ int64_t partial(int64_t r) const {
    return (blockIdx.x * p_.kv_heads + head_) * p_.rows + first_row_ + r;
  }
  __device__ KvPart part(int64_t page, bool is_key) const {
    // Parts are read only here.
    return {const_cast<unsigned char*>(span_.pages[page]) +
                kv_part_offset(p_.key, p_.value, head_, is_key),
            is_key ? p_.key : p_.value};
  }

  /// Rows beyond the last one repeat it; what comes of them is not written.
  __device__ void read_queries() {
    const float* from = packed() ? p_.folded : p_.plain;
    for (int64_t i = threadIdx.x; i < kRows * dim_; i += blockDim.x) {
      const int64_t r = i / dim_ < rows() ? i / dim_ : rows() - 1;
      memory_.queries.query[i / dim_][i % dim_] = from[query(r) * dim_ + i % dim_];
    }
    __syncthreads();
    if (packed()) keys_.sum_queries(span_.end, [&](int64_t page) { return part(page, true); });
  }

  /// Scores of token t of the span, all rows.
  __device__ void score(int64_t t) {
    float scores[kRows];
    for (float& s : scores) s = -INFINITY;
    if (packed() && t >= span_.begin && t < span_.end)
      keys_.score(part(t / kPageTokens, true), t, scores);
    if (!packed() && span_.begin + t < span_.end) score_exact(t, scores);
    for (int64_t r = 0; r < kRows; ++r) memory_.scores[r][t] = scores[r];
  }

  /// Exact token t of the span.
  __device__ void score_exact(int64_t t, float* scores) {
    const float* key = span_.key + (head_ * span_.capacity + t) * dim_;
    float products[kRows] = {};
    for (int64_t c = 0; c < dim_; ++c)
      for (int64_t r = 0; r < kRows; ++r)
        products[r] = fmaf(memory_.queries.query[r][c], key[c], products[r]);
    for (int64_t r = 0; r < kRows; ++r)
      if (r < rows() && span_.begin + t <= span_.own + (first_row_ + r) % p_.steps)
        scores[r] = products[r] - p_.offset[query(r)];
  }

  /// Softmax of row r without its division, by one warp.
  __device__ void weigh(int64_t r) {
    float* scores = memory_.scores[r];
    float top = -INFINITY, total = 0;
    for (int64_t t = threadIdx.x % kWarp; t < kSpanTokens; t += kWarp)
      top = scores[t] > top ? scores[t] : top;
    top = warp_max(top);
    for (int64_t t = threadIdx.x % kWarp; t < kSpanTokens; t += kWarp) {
      // A row may see nothing of a span.
      scores[t] = scores[t] > -INFINITY ? expf(scores[t] - top) : 0.0F;
      total += scores[t];
    }
    total = warp_sum(total);
    if (threadIdx.x % kWarp != 0 || r >= rows()) return;
    p_.top[partial(r)] = top;
    p_.total[partial(r)] = total;
  }

  __device__ void add_packed(float* sums) {
    const int64_t to = (span_.end + kPageTokens - 1) / kPageTokens;
    for (int64_t page = span_.begin / kPageTokens; page < to; ++page) {
      const KvPart values = part(page, false);
      __syncthreads();
      for (int64_t i = threadIdx.x; i < p_.value.groups() * kPageTokens; i += blockDim.x) {
        memory_.scale[i] = load_stored(values.scales(), i, p_.value.stored);
        memory_.minimum[i] = load_stored(values.minima(), i, p_.value.stored);
      }
      __syncthreads();
      if (threadIdx.x >= dim_) continue;
      if (p_.value.bits == 2) add_page<2>(values, page * kPageTokens, sums);
      if (p_.value.bits == 3) add_page<3>(values, page * kPageTokens, sums);
      if (p_.value.bits == 4) add_page<4>(values, page * kPageTokens, sums);
      if (p_.value.bits == 8) add_page<8>(values, page * kPageTokens, sums);
    }
  }

  /// The channel of this thread: all tokens of a page.
  template <int kBits>
  __device__ void add_page(const KvPart& values, int64_t first, float* sums) {
    const int64_t channel = threadIdx.x, grid = channel / p_.value.group * kPageTokens;
    const uint32_t* lane = values.panel(channel / kPanelLanes) + channel % kPanelLanes;
    for_lane_codes<kBits>(lane, kPageTokens, [&](const LaneCodes<kBits>& codes, int64_t t) {
      for (int j = 0; j < codes.kCodes; ++j) {
        const float value =
            codes.code(j) * memory_.scale[grid + t + j] + memory_.minimum[grid + t + j];
        for (int64_t r = 0; r < kRows; ++r)
          sums[r] = fmaf(memory_.scores[r][first + t + j], value, sums[r]);
      }
    });
  }

  __device__ void add_exact(float* sums) {
    if (threadIdx.x >= dim_) return;
    const float* value = span_.value + head_ * span_.capacity * dim_ + threadIdx.x;
    const int64_t first = packed() ? span_.begin : 0;
    for (int64_t t = 0; t < span_.end - span_.begin; ++t)
      for (int64_t r = 0; r < kRows; ++r)
        sums[r] = fmaf(memory_.scores[r][first + t], value[t * dim_], sums[r]);
  }

  const DeviceDecode& p_;
  const DeviceSpan& span_;
  SpanMemory<kRows>& memory_;
  PackedKeys<kRows> keys_;
  int64_t head_, first_row_, dim_;
};

/// Grid: spans, kv heads, blocks of rows.
template <int kRows>
__global__ void attend_spans(DeviceDecode problem) {
  WKVQ_BLOCK_MEMORY(SpanMemory<kRows>, memory);
  SpanBlock<kRows>(problem, memory).attend();
}

/// Grid: kv heads of all sequences, rows. Sums the spans of a row in their order.
template <class = void>
__global__ void combine_spans(DeviceDecode p) {
  const int64_t batch = blockIdx.x / p.kv_heads, head = blockIdx.x % p.kv_heads, c = threadIdx.x;
  const auto partial = [&](int64_t span) {
    return (span * p.kv_heads + head) * p.rows + blockIdx.y;
  };
  float top = -INFINITY;
  for (int64_t i = p.firsts[batch]; i < p.firsts[batch + 1]; ++i)
    top = p.top[partial(i)] > top ? p.top[partial(i)] : top;
  float all = 0, share = 0, packed = 0, exact = 0;
  for (int64_t i = p.firsts[batch]; i < p.firsts[batch + 1]; ++i) {
    const bool is_packed = p.spans[i].value == nullptr;
    const float factor = expf(p.top[partial(i)] - top), weight = factor * p.total[partial(i)];
    all += weight;
    if (is_packed) share += weight;
    if (c < p.key.dim) (is_packed ? packed : exact) += factor * p.sums[partial(i) * p.key.dim + c];
  }
  const int64_t row = static_cast<int64_t>(blockIdx.x) * p.rows + blockIdx.y;
  if (c == 0) p.share[row] = share / all;
  if (c >= p.key.dim) return;
  p.packed[row * p.key.dim + c] = packed / all;
  p.exact[row * p.key.dim + c] = exact / all;
}

/// Every row of a problem must see a token.
template <class Launch>
void launch_decode_attention(const Launch& launch, const DeviceDecode& p) {
  const int64_t threads = p.key.dim <= kLaunchThreads ? kLaunchThreads : kMaxHeadDim;
  const auto spans = [&](auto kernel, int64_t rows) {
    launch(kernel, LaunchShape{p.span_count, p.kv_heads, (p.rows + rows - 1) / rows, threads}, p);
  };
  if (p.rows == 1)
    spans(attend_spans<1>, 1);
  else if (p.rows == 2)
    spans(attend_spans<2>, 2);
  else if (p.rows <= 4)
    spans(attend_spans<4>, 4);
  else
    spans(attend_spans<8>, 8);
  launch(combine_spans<>, LaunchShape{p.batch * p.kv_heads, p.rows, 1, p.key.dim}, p);
}

}  // namespace
}  // namespace wkvq
