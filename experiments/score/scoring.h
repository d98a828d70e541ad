#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/model/transformer.h"
#include "experiments/score/request_batches.h"

namespace wkvq {

/// Positions whose logits are alive at once: small enough to stay in cache for usual vocabularies.
inline constexpr int64_t kLogitRows = 128;
/// Tensors of their logits that exist together: logits and their log-probabilities; with full
/// precision's also the difference and the exponential.
inline constexpr int64_t kLogitCopies = 2, kLogitCopiesWithKl = 4;

/// What scoring looks at beside the targets' log-probabilities.
struct ScoringOptions {
  at::Tensor reference;  ///< full precision's hidden states of the batch, or undefined
  bool greedy = false;   ///< whether each target is the arg max
};

/// Scores the requests of `batch` from the hidden states [batch, seq, hidden] that leave its last
/// block, in their order there. Log-probabilities in float32, or float64 for float64 hidden states;
/// KL sums in double. Only the positions that predict a scored token reach the head, each once.
std::vector<Scored> score_batch(const Head& head, const std::vector<Request>& requests,
                                const RequestBatch& batch, const at::Tensor& hidden,
                                const ScoringOptions& options);

}  // namespace wkvq
