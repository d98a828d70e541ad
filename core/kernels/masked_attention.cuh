// masked_attention on a device: tiles of queries walk over tiles of tokens with a running softmax,
// so no row of weights is ever whole. Tokens below the smallest bound of a tile are read quantized
// only, those above the largest exact only, the band between both ways.
#pragma once

#include <cmath>

#include "core/kernels/attention_tile.cuh"
#include "core/kernels/launch.h"
#include "core/kernels/packed_layout.h"

namespace wkvq {
namespace {

constexpr int64_t kTileQueries = 16, kTileTokens = 16;
/// Threads that share the softmax of a query, and queries whose scores a thread computes.
constexpr int64_t kQueryThreads = kLaunchThreads / kTileQueries;
constexpr int64_t kThreadScores = kTileQueries * kTileTokens / kLaunchThreads;
constexpr int64_t kThreadChannels = (kMaxHeadDim + kLaunchThreads - 1) / kLaunchThreads;

struct TileMemory {
  float query[kTileQueries][kMaxHeadDim];
  float tokens[kTileTokens]
              [kMaxHeadDim + 1];            // keys, then values; one apart against bank conflicts
  float scores[kTileQueries][kTileTokens];  // then the weights of quantized tokens
  float exact[kTileQueries][kTileTokens];   // weights of exact tokens
  float factor[kTileQueries];               // of what has been summed before a tile
  float total[kTileQueries];
};

class QueryTile : AttentionTile<kTileQueries, kTileTokens> {
 public:
  __device__ QueryTile(const DeviceAttention& problem, TileMemory& memory)
      : AttentionTile(problem), memory_(memory) {}

  __device__ void attend() {
    for (int64_t i = threadIdx.x; i < kTileQueries * p_.dim; i += blockDim.x)
      memory_.query[i / p_.dim][i % p_.dim] = query_row<float>(i / p_.dim)[i % p_.dim] * p_.scale;
    for (int64_t s = begin(); s < end(); s += kTileTokens) {
      score(s);
      weigh(s);
      accumulate(s);
    }
    if (threadIdx.x % kQueryThreads == 0) memory_.total[threadIdx.x / kQueryThreads] = total_;
    __syncthreads();
    for (int64_t j = 0; j < kThreadChannels; ++j) {
      const int64_t c = threadIdx.x + j * blockDim.x;
      // A fixed number of steps: so the sums stay in registers.
      for (int64_t q = 0; q < kTileQueries; ++q)
        if (c < p_.dim && q < count_) out_row<float>(q)[c] = sums_[j][q] / memory_.total[q];
    }
  }

 private:
  /// Reads the tile of tokens from `s` on; zeros behind the last.
  __device__ void read_tokens(const DeviceRows& rows, int64_t s) {
    __syncthreads();
    for (int64_t i = threadIdx.x; i < kTileTokens * p_.dim; i += blockDim.x)
      memory_.tokens[i / p_.dim][i % p_.dim] =
          s + i / p_.dim < end() ? token_row<float>(rows, s + i / p_.dim)[i % p_.dim] : 0.0f;
    __syncthreads();
  }

  __device__ void score(int64_t s) {
    if (any_quantized(p_.key_bound, s)) {
      read_tokens(p_.key_hat, s);
      score_copy(s, true);
    }
    if (any_exact(p_.key_bound, s)) {
      read_tokens(p_.key, s);
      score_copy(s, false);
    }
    __syncthreads();
  }

  __device__ void score_copy(int64_t s, bool quantized) {
    const int64_t token = threadIdx.x % kTileTokens;
    for (int64_t j = 0; j < kThreadScores; ++j) {
      const int64_t q = threadIdx.x / kTileTokens + j * (blockDim.x / kTileTokens);
      if ((s + token < p_.key_bound[query(q)]) != quantized) continue;
      float sum = 0.0f;
      for (int64_t c = 0; c < p_.dim; ++c)
        sum = fmaf(memory_.query[q][c], memory_.tokens[token][c], sum);
      memory_.scores[q][token] = sum;
    }
  }

  /// The running softmax: kQueryThreads threads a query, which all keep its state.
  __device__ void weigh(int64_t s) {
    const int64_t q = threadIdx.x / kQueryThreads, t = query(q);
    float* scores = memory_.scores[q];
    float top = top_;
    for (int64_t i = threadIdx.x % kQueryThreads; i < kTileTokens; i += kQueryThreads) {
      if (s + i < p_.lowest[t] || s + i > p_.first + t) scores[i] = -INFINITY;
      top = scores[i] > top ? scores[i] : top;
    }
    for (int lanes = kQueryThreads / 2; lanes > 0; lanes /= 2) {
      const float other = __shfl_xor_sync(0xffffffffu, top, lanes);
      top = other > top ? other : top;
    }
    float total = 0.0f;
    for (int64_t i = threadIdx.x % kQueryThreads; i < kTileTokens; i += kQueryThreads) {
      // A query may see nothing of the first tile.
      const float weight = scores[i] > -INFINITY ? expf(scores[i] - top) : 0.0f;
      const bool quantized = s + i < p_.value_bound[t];
      scores[i] = quantized ? weight : 0.0f;
      memory_.exact[q][i] = quantized ? 0.0f : weight;
      total += weight;
    }
    for (int lanes = kQueryThreads / 2; lanes > 0; lanes /= 2)
      total += __shfl_xor_sync(0xffffffffu, total, lanes);
    const float factor = top_ > -INFINITY ? expf(top_ - top) : 0.0f;
    if (threadIdx.x % kQueryThreads == 0) memory_.factor[q] = factor;
    total_ = fmaf(total_, factor, total);
    top_ = top;
  }

  __device__ void accumulate(int64_t s) {
    __syncthreads();
    for (int64_t j = 0; j < kThreadChannels; ++j)
      for (int64_t q = 0; q < kTileQueries; ++q) sums_[j][q] *= memory_.factor[q];
    if (any_quantized(p_.value_bound, s)) {
      read_tokens(p_.value_hat, s);
      add(memory_.scores);
    }
    if (any_exact(p_.value_bound, s)) {
      read_tokens(p_.value, s);
      add(memory_.exact);
    }
  }

  __device__ void add(const float (*weights)[kTileTokens]) {
    for (int64_t j = 0; j < kThreadChannels; ++j) {
      const int64_t c = threadIdx.x + j * blockDim.x;
      if (c >= p_.dim) continue;
      for (int64_t i = 0; i < kTileTokens; ++i) {
        const float value = memory_.tokens[i][c];
        for (int64_t q = 0; q < kTileQueries; ++q)
          sums_[j][q] = fmaf(weights[q][i], value, sums_[j][q]);
      }
    }
  }

  TileMemory& memory_;
  float top_ = -INFINITY, total_ = 0.0f;  // of the query whose softmax this thread shares
  float sums_[kThreadChannels][kTileQueries] = {};
};

template <class = void>
__global__ void attend_tiles(DeviceAttention problem) {
  WKVQ_BLOCK_MEMORY(TileMemory, memory);
  QueryTile(problem, memory).attend();
}

/// dim is at most kMaxHeadDim.
template <class Launch>
void launch_masked_attention(const Launch& launch, const DeviceAttention& p) {
  const int64_t tiles = (p.seq + kTileQueries - 1) / kTileQueries;
  launch(attend_tiles<>, LaunchShape{tiles, p.heads, p.batch, kLaunchThreads}, p);
}

}  // namespace
}  // namespace wkvq
