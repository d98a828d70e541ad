#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "datasets/tasks/common/task.h"

namespace wkvq {

/// Errors that grow while writing. The full-precision model continues prompts of a corpus, by
/// `max_tokens` tokens each (an end of text is a token like any other). The quantized model then
/// follows that text, token by token through its cache, and writes its own after the same prompt,
/// by the same random numbers where text is sampled.
///
/// Metrics, with standard errors over prompts (clustered_mean, NaN with one prompt):
///   trajectory_kl, trajectory_top1   following: mean KL(full precision || this) and share of equal
///                                    arg max over all positions; trajectory_kl_<first>_<last> by
///                                    position of the text, from 1
///   first_divergence                 writing: tokens before the first one that differs, max_tokens
///                                    where none does; attribute `never`, how many of the prompts
///   equal_tokens                     share of positions with the same token
///   followed_nll, written_nll        full precision's mean NLL of what it and what the quantized
///                                    model wrote; written_nll_increase, the difference, by prompt
/// Rows: prompt, position, and kl, agree, equal, token and nll; or prompt and tokens, nll_increase.
class TrajectoryTask final : public Task {
 public:
  void visit(OptionVisitor& v) override;
  std::string summary() const override;
  bool has_prefill() const override { return true; }
  bool generates() const override { return true; }
  bool follows() const override { return true; }
  std::vector<Request> prepare(const TaskInputs& inputs) override;
  std::vector<Metric> score(const std::vector<Scored>& scored) const override;

 private:
  /// A value of every position of a prompt's text.
  using Values = std::function<std::vector<double>(const Scored&)>;
  /// The mean over positions `first` to `last`, from 1, with its rows in `column`.
  Metric mean(const std::string& name, const std::string& column, const std::vector<Scored>& scored,
              const Values& values, int64_t first, int64_t last) const;
  Metric over_all(const std::string& name, const std::string& column,
                  const std::vector<Scored>& scored, const Values& values) const {
    return mean(name, column, scored, values, 1, max_tokens_);
  }
  Metric first_divergence(const std::vector<Scored>& scored) const;
  Metric nll_increase(const std::vector<Scored>& scored) const;

  int64_t prompts_ = 16;
  int64_t prompt_tokens_ = 64;
  int64_t max_tokens_ = 64;
  int64_t buckets_ = 4;
  double temperature_ = 0;
  int64_t seed_ = 0;
  std::string convention_;
};

}  // namespace wkvq
