#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/tasks/common/task.h"
#include "datasets/tasks/common/token_scores.h"

namespace wkvq {

/// Perplexity as llama.cpp's llama-perplexity counts it (tools/perplexity/perplexity.cpp): running
/// text in chunks of n tokens, each run on its own, its first token replaced by BOS where the
/// tokenizer adds one; only tokens n/2 + 1 .. n - 1 of a chunk are scored, so that each has at
/// least half a chunk before it. At least two chunks of text are needed, the tail is dropped.
///
/// Metrics: those of TokenScores with "llama_cpp_" in front, clustered by chunk (llama.cpp prints
/// an error that takes tokens for independent: smaller).
class LlamaCppPerplexityTask final : public Task {
 public:
  void visit(OptionVisitor& v) override;
  std::string summary() const override;
  bool needs_full_precision() const override { return kl_; }
  std::vector<Request> prepare(const TaskInputs& inputs) override;
  std::vector<Metric> score(const std::vector<Scored>& scored) const override;

 private:
  int64_t context_ = 512;
  int64_t chunks_ = 0;
  bool kl_ = false;
  TokenScores scores_;
};

}  // namespace wkvq
