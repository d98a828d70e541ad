#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "datasets/tasks/common/choices.h"
#include "datasets/tasks/common/task.h"

namespace wkvq {

/// Multiple choice out of any corpus: which of four continuations of n tokens follows the context?
/// One is the true one, three come from elsewhere in the corpus (none overlaps the question); all
/// four differ. Items, choices and the true one's place follow from the seed alone, on every
/// platform.
///
/// `acc` = share of items where the summed log-likelihood is highest for the true continuation (the
/// first index wins ties); standard error = sample standard deviation (n - 1) / sqrt(n), NaN with
/// one item. Rows: item, ll_0..ll_3, label, prediction, correct.
class ClozeTask final : public Task {
 public:
  static constexpr size_t kChoices = 4;

  void visit(OptionVisitor& v) override;
  std::string summary() const override;
  bool has_prefill() const override { return true; }
  /// Four requests an item, in the order of the choices; the context is the prefill.
  std::vector<Request> prepare(const TaskInputs& inputs) override;
  std::vector<Metric> score(const std::vector<Scored>& scored) const override;

 private:
  int64_t items_ = 200;
  int64_t length_ = 64;
  int64_t continuation_ = 8;
  int64_t seed_ = 0;
  std::vector<ChoiceItem> questions_;
  std::string convention_;
};

}  // namespace wkvq
