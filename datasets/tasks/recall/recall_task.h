#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "datasets/random/random.h"
#include "datasets/tasks/common/task.h"

namespace wkvq {

/// A prompt of any length with an answer in it.
struct HiddenAnswer {
  std::string answer;  ///< ASCII digits
  /// The prompt with `units` units of filling, about depth percent of them before the answer.
  std::function<std::string(int64_t units)> prompt;
};

/// A number is hidden in a long prompt, at each of several depths; the model is asked for it at the
/// end. Prompts have as many units of filling as keep them at `length` tokens. Items follow from
/// options, seed and tokenizer, on every platform.
///
/// `acc` = share of items where the first number that the model writes (greedily) is the right one;
/// standard error = sample standard deviation (n - 1) / sqrt(n), NaN with one item. Rows: item,
/// depth (percent), length (tokens of the prompt), correct, expected, answer.
class RecallTask : public Task {
 public:
  void visit(OptionVisitor& v) override;
  bool takes_dataset() const override { return false; }
  std::string data_fingerprint() const override { return fingerprint_; }
  bool has_prefill() const override { return true; }
  bool generates() const override { return true; }
  std::vector<Request> prepare(const TaskInputs& inputs) override;
  std::vector<Metric> score(const std::vector<Scored>& scored) const override;

 protected:
  /// Draws an item whose answer stands at `depth` percent of the filling.
  virtual HiddenAnswer draw(int64_t depth, BoundedRandom& random) const = 0;

 private:
  int64_t length_ = 0;
  std::vector<int64_t> depths_{0, 25, 50, 75, 100};
  int64_t items_ = 10;
  int64_t max_tokens_ = 16;
  int64_t seed_ = 0;
  const Tokenizer* tokenizer_ = nullptr;
  std::vector<int64_t> depth_of_, prompt_tokens_;
  std::vector<std::string> expected_;
  std::string fingerprint_, convention_;
};

/// How many of `units` stand before the answer at `depth` percent.
inline int64_t units_before(int64_t units, int64_t depth) {
  return (units * depth + 50) / 100;
}

}  // namespace wkvq
