#pragma once

#include <string>
#include <vector>

#include "core/cache/block_cache.h"
#include "core/calibrate/method.h"
#include "core/generate/linear_set.h"

namespace wkvq {

/// Where a token goes: its sequence's caches, one a block, each of one sequence, and its position.
struct TokenPlace {
  std::vector<BlockCache>* caches = nullptr;
  int64_t position = 0;
};

/// One token each of a few sequences through all blocks of a model in float32 on the CPU, over
/// plain memory that is kept from token to token: forward_block without a tensor for every
/// operation. The same bits where all weights are packed and the cache quantizes; weights and
/// caches in float32 have sums of another order.
class TokenPass {
 public:
  /// What of the model or of its blocks the pass does not know, e.g. "quantized inputs of a
  /// linear"; empty where it may be used. Tested: tests/core/token_pass_test.cpp.
  static std::string unsupported(const ModelConfig& model,
                                 const std::vector<QuantizedBlock>& blocks);
  /// Most sequences of a step.
  static constexpr int64_t kMostRows = PackedWeight::kFewRows;

  /// `model`, `rope` and `team` must outlive this.
  TokenPass(const ModelConfig& model, const Rope& rope, const std::vector<QuantizedBlock>& blocks,
            Team& team);

  /// `hidden` [rows, hidden_size], contiguous: what enters the first block becomes what leaves the
  /// last one. Frequencies that depend on the length of a sequence (dynamic scaling): one row.
  void step(float* hidden, const std::vector<TokenPlace>& places);

 private:
  struct Block {
    BlockWeights weights;
    LinearSet inputs, output, mlp, down;
  };
  /// Of a row, [head_dim / 2].
  struct Angles {
    Rope::Table table;
    const float *cos, *sin;
  };
  void reserve(int64_t rows);
  /// Query and key norms, then rotation, of row r.
  void place_heads(const Block& block, const Angles& angles, int64_t r);
  void attend(size_t layer, const std::vector<TokenPlace>& places);
  /// gated_ = silu(gate_) * up_.
  void multiply_gates();
  void run_block(size_t layer, float* hidden, const std::vector<TokenPlace>& places,
                 const std::vector<Angles>& angles);

  const ModelConfig& model_;
  const Rope& rope_;
  Team& team_;
  std::vector<Block> blocks_;
  int64_t rows_ = 0;  // that memory is there for
  std::vector<float> memory_;
  PlainRows normed_, query_, key_, value_, turned_query_, turned_key_, joined_, gate_, up_, gated_,
      update_;
  float* sums_ = nullptr;
  at::Tensor gate_tensor_, up_tensor_;  // [rows, intermediate_size]
};

}  // namespace wkvq
