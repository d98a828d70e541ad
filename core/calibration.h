#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/model_source.h"

namespace wkvq {

/// Calibration text on its way through the full-precision model: the hidden states entering every
/// block, each computed once, on demand. Runs of a sweep that share model and text share a chain;
/// losses that look several blocks ahead read their targets from it.
class CalibrationChain {
 public:
  /// `embedded`: [samples, seq, hidden] in batches. Where the states of all blocks take at most
  /// `keep_bytes` they stay for the next run, else only those not yet released.
  CalibrationChain(ModelSource& source, std::vector<at::Tensor> embedded, int64_t keep_bytes);

  bool empty() const { return batches_ == 0; }
  bool kept() const { return keep_; }
  /// The states entering block `layer`; layer == layers: leaving the last one.
  const std::vector<at::Tensor>& entering(int64_t layer);
  /// The states entering blocks before `layer` are not asked for again in this run.
  void release_before(int64_t layer);

 private:
  ModelSource& source_;
  size_t batches_;
  bool keep_;
  std::vector<std::vector<at::Tensor>> states_;  ///< by block; empty where unknown or released
};

/// Carries `hidden` through a block.
void carry(const ModelSource& source, int64_t layer, const BlockWeights& weights,
           const AttentionFunction& attention, std::vector<at::Tensor>& hidden);

}  // namespace wkvq
