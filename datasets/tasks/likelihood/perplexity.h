#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/tasks/common/task.h"
#include "datasets/tasks/common/token_scores.h"

namespace wkvq {

/// Perplexity over windows as in the GPTQ convention: every window on its own, tail dropped.
/// Metrics: those of TokenScores, clustered by window.
class PerplexityTask final : public Task {
 public:
  void visit(OptionVisitor& v) override;
  std::string summary() const override;
  bool needs_full_precision() const override { return kl_; }
  std::vector<Request> prepare(const TaskInputs& inputs) override;
  std::vector<Metric> score(const std::vector<Scored>& scored) const override;

 private:
  int64_t context_ = 0;
  int64_t windows_ = 0;
  int64_t score_from_ = 1;
  bool kl_ = false;
  TokenScores scores_;
};

}  // namespace wkvq
