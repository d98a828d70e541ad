#pragma once

#include <memory>
#include <vector>

#include "core/generate/linear_set.h"
#include "core/model/model_source.h"

namespace wkvq {

/// The head [vocab, hidden] of `checkpoint` by the codes that its file has: nothing is rounded, the
/// values are those that load() gives. Null where the file has no codes that a PackedWeight holds
/// (of GGUF it holds Q8_0). ConfigError where a scale is not finite.
std::shared_ptr<const PackedWeight> stored_head(const Checkpoint& checkpoint);

/// Final norm and head of a model in float32 on the CPU, over plain memory: Head for TokenPass. Of
/// stored codes or of a weight in float32; the same logits but for the order of sums.
class TokenHead {
 public:
  /// `codes`: whether stored_head may stand for the weight.
  TokenHead(const ModelSource& source, bool codes);

  /// The logits [rows, vocab] of hidden states [rows, hidden], in double, row by row.
  std::vector<std::vector<double>> logits(Team& team, const float* hidden, int64_t rows);
  int64_t held_bytes() const;

 private:
  void some_logits(Team& team, const float* hidden, int64_t rows);

  Linear linear_;
  at::Tensor norm_;
  double norm_eps_;
  int64_t hidden_, vocab_;
  LinearSet set_;
  std::vector<float> normed_, logits_, sums_;
};

}  // namespace wkvq
