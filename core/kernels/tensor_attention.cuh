// masked_attention of half types on tensor cores, as masked_attention.cuh does it: tiles, a running
// softmax, the band both ways. Products of two half numbers are exact and summed in float32; the
// weights of tokens are rounded to the half type before they multiply values.
#pragma once

#include <cmath>

#include "core/kernels/attention_tile.cuh"
#include "core/kernels/launch.h"
#include "core/kernels/packed_layout.h"

namespace wkvq {
namespace {

namespace wmma = nvcuda::wmma;

constexpr int64_t kSide = 16;  // of what a tensor core multiplies
constexpr int64_t kTensorQueries = kLaunchThreads / kWarp * kSide, kTensorTokens = 64;
/// Threads that share the softmax of a query, and tokens that one of them weighs.
constexpr int64_t kRowThreads = kWarp / kSide, kThreadTokens = kTensorTokens / kRowThreads;

/// What a thread moves at once.
template <class T>
struct alignas(16) Piece {
  T x[16 / sizeof(T)];
};
constexpr int64_t kPiece = 8;  // half numbers

/// Rows are longer than what they hold, against bank conflicts.
template <class T, int64_t kDim>
struct alignas(32) TensorMemory {
  T query[kTensorQueries][kDim + kPiece];
  T tokens[kTensorTokens][kDim + kPiece];             // keys, then values
  T weights[kTensorQueries][kTensorTokens + kPiece];  // of tokens of one copy
  float scores[kTensorQueries][kTensorTokens + 4];    // and what else goes through fragments
};

/// One tile of queries; 16 of them are a warp's own, whose sums it keeps in fragments. Head_dim is
/// at most kDim.
template <class T, int64_t kDim>
class TensorTile : AttentionTile<kTensorQueries, kTensorTokens> {
  using Tile = AttentionTile<kTensorQueries, kTensorTokens>;
  using Tile::any_exact, Tile::any_quantized, Tile::count_, Tile::p_;
  using Left = wmma::fragment<wmma::matrix_a, kSide, kSide, kSide, T, wmma::row_major>;
  template <class Layout>
  using Right = wmma::fragment<wmma::matrix_b, kSide, kSide, kSide, T, Layout>;
  using Sums = wmma::fragment<wmma::accumulator, kSide, kSide, kSide, float>;
  static constexpr int64_t kSlices = kDim / kSide, kTokenSlices = kTensorTokens / kSide;
  static constexpr int64_t kRow = kDim + kPiece, kWeightRow = kTensorTokens + kPiece;
  static constexpr int64_t kScoreRow = kTensorTokens + 4;

 public:
  __device__ TensorTile(const DeviceAttention& problem, TensorMemory<T, kDim>& memory)
      : Tile(problem),
        memory_(memory),
        warp_row_(threadIdx.x / kWarp * kSide),
        row_(threadIdx.x / kRowThreads),
        part_(threadIdx.x % kRowThreads),
        own_(p_.first + this->query(row_)),
        lowest_(p_.lowest[this->query(row_)]),
        key_bound_(p_.key_bound[this->query(row_)]),
        value_bound_(p_.value_bound[this->query(row_)]) {}

  __device__ void attend() {
    read(memory_.query, [&](int64_t q) { return this->template query_row<T>(q); });
    for (Sums& sums : sums_) wmma::fill_fragment(sums, 0.0f);
    for (int64_t s = this->begin(); s < this->end(); s += kTensorTokens) {
      score(s);
      scale_sums(weigh(s));
      accumulate(s);
    }
    scale_sums(1 / total_);
    write();
  }

 private:
  /// Row i of `to` becomes from(i); zeros where that is null.
  template <class From>
  __device__ void read(T (*to)[kRow], const From& from) {
    const int64_t pieces = p_.dim / kPiece;
    for (int64_t i = threadIdx.x; i < kTensorTokens * pieces; i += blockDim.x) {
      const T* row = from(i / pieces);
      Piece<T>* piece = reinterpret_cast<Piece<T>*>(to[i / pieces]) + i % pieces;
      *piece = row ? reinterpret_cast<const Piece<T>*>(row)[i % pieces] : Piece<T>{};
    }
  }

  /// Reads the tile of tokens from `s` on; zeros behind the last.
  __device__ void read_tokens(const DeviceRows& rows, int64_t s) {
    __syncthreads();
    read(memory_.tokens, [&](int64_t i) {
      return s + i < this->end() ? this->template token_row<T>(rows, s + i) : nullptr;
    });
    __syncthreads();
  }

  /// Token i of those in [0, kTensorTokens) that this thread weighs.
  __device__ int64_t token(int64_t i) const { return i * kRowThreads + part_; }

  __device__ void score(int64_t s) {
    if (any_quantized(p_.key_bound, s)) {
      read_tokens(p_.key_hat, s);
      score_copy(s, true);
    }
    if (any_exact(p_.key_bound, s)) {
      read_tokens(p_.key, s);
      score_copy(s, false);
    }
  }

  __device__ void score_copy(int64_t s, bool quantized) {
    Sums scores[kTokenSlices];
    for (Sums& sums : scores) wmma::fill_fragment(sums, 0.0f);
    for (int64_t c = 0; c < p_.dim; c += kSide) {
      Left query;
      wmma::load_matrix_sync(query, memory_.query[warp_row_] + c, kRow);
      for (int64_t j = 0; j < kTokenSlices; ++j) {
        Right<wmma::col_major> key;
        wmma::load_matrix_sync(key, memory_.tokens[j * kSide] + c, kRow);
        wmma::mma_sync(scores[j], query, key, scores[j]);
      }
    }
    for (int64_t j = 0; j < kTokenSlices; ++j)
      wmma::store_matrix_sync(memory_.scores[warp_row_] + j * kSide, scores[j], kScoreRow,
                              wmma::mem_row_major);
    __syncwarp();
    for (int64_t i = 0; i < kThreadTokens; ++i)
      if ((s + token(i) < key_bound_) == quantized)
        scores_[i] = memory_.scores[row_][token(i)] * p_.scale;
    __syncwarp();
  }

  /// Makes weights of the scores. Returns the factor of what has been summed before.
  __device__ float weigh(int64_t s) {
    float top = top_;
    for (int64_t i = 0; i < kThreadTokens; ++i) {
      if (s + token(i) < lowest_ || s + token(i) > own_) scores_[i] = -INFINITY;
      top = scores_[i] > top ? scores_[i] : top;
    }
    for (int lanes = kRowThreads / 2; lanes > 0; lanes /= 2) {
      const float other = __shfl_xor_sync(0xffffffffu, top, lanes);
      top = other > top ? other : top;
    }
    float total = 0.0f;
    for (int64_t i = 0; i < kThreadTokens; ++i) {
      // A query may see nothing of the first tile.
      const float weight = scores_[i] > -INFINITY ? expf(scores_[i] - top) : 0.0f;
      // Rounded as it multiplies: so what has multiplied adds up to one.
      scores_[i] = static_cast<float>(static_cast<T>(weight));
      total += scores_[i];
    }
    for (int lanes = kRowThreads / 2; lanes > 0; lanes /= 2)
      total += __shfl_xor_sync(0xffffffffu, total, lanes);
    const float factor = top_ > -INFINITY ? expf(top_ - top) : 0.0f;
    total_ = fmaf(total_, factor, total);
    top_ = top;
    return factor;
  }

  /// Multiplies what this thread's query has summed. Which element of a fragment belongs to which
  /// query is known to no one; so the factors take the way that leads there.
  __device__ void scale_sums(float factor) {
    constexpr int64_t kShare = kSide / kRowThreads;
    for (int64_t i = 0; i < kShare; ++i) memory_.scores[row_][part_ * kShare + i] = factor;
    __syncwarp();
    Sums factors;
    wmma::load_matrix_sync(factors, memory_.scores[warp_row_], kScoreRow, wmma::mem_row_major);
    for (Sums& sums : sums_)
      for (int i = 0; i < Sums::num_elements; ++i) sums.x[i] *= factors.x[i];
  }

  __device__ void accumulate(int64_t s) {
    if (any_quantized(p_.value_bound, s)) {
      read_tokens(p_.value_hat, s);
      add(s, true);
    }
    if (any_exact(p_.value_bound, s)) {
      read_tokens(p_.value, s);
      add(s, false);
    }
  }

  __device__ void add(int64_t s, bool quantized) {
    for (int64_t i = 0; i < kThreadTokens; ++i)
      memory_.weights[row_][token(i)] =
          static_cast<T>((s + token(i) < value_bound_) == quantized ? scores_[i] : 0.0f);
    __syncwarp();
    Left weights[kTokenSlices];
    for (int64_t j = 0; j < kTokenSlices; ++j)
      wmma::load_matrix_sync(weights[j], memory_.weights[warp_row_] + j * kSide, kWeightRow);
    for (int64_t c = 0; c < kSlices; ++c) {
      if (c * kSide >= p_.dim) continue;
      for (int64_t j = 0; j < kTokenSlices; ++j) {
        Right<wmma::row_major> value;
        wmma::load_matrix_sync(value, memory_.tokens[j * kSide] + c * kSide, kRow);
        wmma::mma_sync(sums_[c], weights[j], value, sums_[c]);
      }
    }
  }

  __device__ void write() {
    for (int64_t c = 0; c < kSlices; ++c) {
      if (c * kSide >= p_.dim) continue;
      __syncwarp();
      wmma::store_matrix_sync(memory_.scores[warp_row_], sums_[c], kScoreRow, wmma::mem_row_major);
      __syncwarp();
      if (row_ >= count_) continue;
      Piece<T> piece;
      for (int64_t i = 0; i < kPiece; ++i)
        piece.x[i] = static_cast<T>(memory_.scores[row_][part_ * kPiece + i]);
      reinterpret_cast<Piece<T>*>(this->template out_row<T>(row_) + c * kSide)[part_] = piece;
    }
  }

  TensorMemory<T, kDim>& memory_;
  int64_t warp_row_;                                // first query of the warp, in the tile
  int64_t row_, part_;                              // the query whose softmax this thread shares
  int64_t own_, lowest_, key_bound_, value_bound_;  // and what it sees
  float top_ = -INFINITY, total_ = 0.0f;
  float scores_[kThreadTokens];  // then weights
  Sums sums_[kSlices];
};

template <class T, int64_t kDim>
__global__ void attend_tensor_tiles(DeviceAttention problem) {
  using Memory = TensorMemory<T, kDim>;
  WKVQ_LAUNCHED_MEMORY(Memory, memory);
  TensorTile<T, kDim>(problem, memory).attend();
}

template <class T, int64_t kDim, class Launch>
void launch_tensor_tiles(const Launch& launch, const DeviceAttention& p) {
  const int64_t tiles = (p.seq + kTensorQueries - 1) / kTensorQueries;
  launch(attend_tensor_tiles<T, kDim>,
         LaunchShape{tiles, p.heads, p.batch, kLaunchThreads, sizeof(TensorMemory<T, kDim>)}, p);
}

/// dim is a multiple of 16 and at most kMaxHeadDim.
template <class T, class Launch>
void launch_tensor_attention(const Launch& launch, const DeviceAttention& p) {
  if (p.dim <= 64) return launch_tensor_tiles<T, 64>(launch, p);
  if (p.dim <= 128) return launch_tensor_tiles<T, 128>(launch, p);
  launch_tensor_tiles<T, kMaxHeadDim>(launch, p);
}

}  // namespace
}  // namespace wkvq
