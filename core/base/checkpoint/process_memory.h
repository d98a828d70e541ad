#pragma once

#include <cstdint>

#include "core/base/checkpoint/memory_model.h"

namespace wkvq {

/// What a process holds of the libraries it is linked with, and what these set up when first used.
inline constexpr double kLibraryBytes = 170e6;

/// Tokens of calibration windows that go through a block together, about: they keep the memory of
/// one block's forward pass bounded.
inline constexpr int64_t kCalibrationBatchTokens = 4096;
/// Full-precision hidden states that a session keeps for later runs of a sweep, in bytes.
inline constexpr int64_t kFullPrecisionBudget = int64_t{2} << 30;

/// What the memory of a method's work on one block depends on.
struct CalibrationSize {
  double element_bytes = 4;   ///< of the compute dtype
  int64_t tokens = 0;         ///< of all windows
  int64_t batch_tokens = 0;   ///< that pass through the block together
  int64_t window_tokens = 0;  ///< of one window
};

/// What a method holds while it works on a block, beside the block as loaded and as rewritten.
struct MethodMemory {
  int64_t following_blocks = 0;  ///< blocks in full precision that it looks ahead
  double bytes = 0;              ///< everything else
};

/// What a process does with a model, block by block. Tokens count those whose hidden states are
/// held; sums over evaluations and over the states of the calibration chains.
struct ProcessQuestion {
  double element_bytes = 4;   ///< of weights and hidden states as computed with
  double stored_bytes = 2;    ///< of an element in the model's files
  bool resident = false;      ///< blocks once loaded stay, and the head
  bool rewrites = false;      ///< quantized weights are tensors of their own
  bool keeps_blocks = false;  ///< quantized blocks stay, for decoding
  double packed_bits = 0;     ///< stored bits of a weight where packed blocks stay; 0: none do
  MethodMemory method;
  double stream_tokens = 0;    ///< held from the first block to the last score
  double tokens_at_once = 0;   ///< in a block at a time, over all threads
  double logit_values = 0;     ///< that exist at once while scoring, copies included
  double written_values = 0;   ///< the same while text is written
  double cache_bytes = 0;      ///< of the caches while text is written
  double tokenizer_bytes = 0;  ///< of vocabulary files
};

/// Bytes of a process: what is there from the first block to the end, and what each phase adds.
struct ProcessBytes {
  double libraries = 0;
  double weights = 0;     ///< blocks and head that stay: loaded, quantized, packed
  double streams = 0;     ///< hidden states of evaluations and calibration
  double quantizing = 0;  ///< a block's turn: loaded and rewritten ones, activations, method
  double scoring = 0;     ///< head where it does not stay, and logits
  double writing = 0;     ///< the same with the caches

  double peak() const;
};

ProcessBytes process_memory(const ModelConfig& config, const ProcessQuestion& question);

/// Bytes of the activations of a token inside of a block, at their most: behind attention, whose
/// inputs are still there.
double activation_bytes(const ModelConfig& config, double element_bytes);

/// Elements of a block, norms and biases included; and of its largest tensor.
int64_t block_elements(const ModelConfig& config);
int64_t largest_block_tensor(const ModelConfig& config);

}  // namespace wkvq
