#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <vector>

#include "core/calibrate/kv_gradients.h"
#include "core/model/model_source.h"

namespace wkvq {

/// Calibration text on its way through the full-precision model: the hidden states entering every
/// block, each computed once, on demand. Runs of a sweep that share model and text share a chain;
/// losses that look several blocks ahead read their targets from it.
class CalibrationChain {
 public:
  /// `tokens`: [samples, seq] int64 in batches. Where the states of all blocks take at most
  /// `keep_bytes` they stay for the next run, else only those not yet released.
  CalibrationChain(ModelSource& source, std::vector<at::Tensor> tokens, int64_t keep_bytes);

  bool empty() const { return tokens_.empty(); }
  const std::vector<at::Tensor>& tokens() const { return tokens_; }
  bool kept() const { return keep_; }
  /// The states entering block `layer`; layer == layers: leaving the last one. Throws c10::Error
  /// where they were released.
  const std::vector<at::Tensor>& entering(int64_t layer);
  /// The same, in place of the states of all earlier blocks, which are not asked for again in this
  /// run: looking ahead then costs one stream, not one a block.
  const std::vector<at::Tensor>& advance_to(int64_t layer);
  /// Whether `entering(layer)` can still be given.
  bool reaches(int64_t layer) const;
  /// The states entering blocks before `layer` are not asked for again in this run.
  void release_before(int64_t layer);
  /// Of every block, computed once for keys after RoPE and once for keys before it; while no states
  /// are released.
  const std::vector<KvGradients>& gradients(KeyPoint point);

 private:
  /// The last block before `layer`, or itself, whose states are there; -1: none.
  int64_t known_before(int64_t layer) const;
  /// `hidden` entering block `layer` becomes what leaves it. NotFiniteError where that is not
  /// finite.
  void carry_on(int64_t layer, std::vector<at::Tensor>& hidden) const;

  ModelSource& source_;
  std::vector<at::Tensor> tokens_;
  bool keep_;
  std::vector<std::vector<at::Tensor>> states_;  ///< by block; empty where unknown or released
  std::map<KeyPoint, std::vector<KvGradients>> gradients_;
};

/// Carries `hidden` through a block.
void carry(const ModelSource& source, int64_t layer, const BlockWeights& weights,
           const AttentionFunction& attention, std::vector<at::Tensor>& hidden);

}  // namespace wkvq
