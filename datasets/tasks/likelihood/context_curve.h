#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/tasks/common/task.h"

namespace wkvq {

/// NLL against the position in the context: every window of running text on its own (GPTQ cut),
/// its tokens 1 .. context - 1 in buckets of equal width (the last one takes the rest up).
///
/// Metric `nll_<first>_<last>` = mean NLL of the tokens at these positions; with `kl` also
/// `kl_<first>_<last>`, mean KL(full precision || this). Standard errors over windows
/// (clustered_mean), NaN with one window. Rows: window, position, nll or kl. Attributes:
/// first_position, last_position.
class ContextCurveTask final : public Task {
 public:
  void visit(OptionVisitor& v) override;
  std::string summary() const override;
  bool needs_full_precision() const override { return kl_; }
  std::vector<Request> prepare(const TaskInputs& inputs) override;
  std::vector<Metric> score(const std::vector<Scored>& scored) const override;

 private:
  struct Bucket {
    int64_t first, last;  ///< positions, both inside
  };
  Metric bucket_mean(const std::string& name, const std::vector<Scored>& scored,
                     std::vector<float> Scored::*field, const Bucket& bucket) const;

  int64_t context_ = 0;
  int64_t windows_ = 0;
  int64_t buckets_ = 8;
  bool kl_ = false;
  std::vector<Bucket> parts_;
  std::string convention_;
};

}  // namespace wkvq
