#include "experiments/run/work.h"

#include <algorithm>
#include <cmath>

#include "experiments/score/cost.h"

namespace wkvq {

namespace {

// Multiplications that one element of a softmax over the vocabulary is worth, and how much slower a
// step of single tokens is than a pass over many: about, measured on a CPU.
constexpr double kSoftmax = 40;
constexpr double kStepByStep = 6;
// A KL divergence takes a second head and its sums.
constexpr double kDivergence = 2.5;
// Rounding a weight.
constexpr double kRounding = 20;

/// Through one block: `tokens` in sequences of `length`.
double block_work(const ModelConfig& m, double tokens, double length) {
  const auto channels = static_cast<double>(m.heads * m.head_dim);
  return tokens * (static_cast<double>(weight_elements(m)) + length * channels);
}

double head_work(const ModelConfig& m, double tokens) {
  return tokens * static_cast<double>(m.vocab_size) *
         (static_cast<double>(m.hidden_size) + kSoftmax);
}

/// After the blocks: writing, or decoding through the cache, then scoring.
double evaluation_work(const ModelConfig& m, const PreparedEvaluation& one) {
  const auto layers = static_cast<double>(m.layers);
  double steps = 0, longest = 1, scored = 0;
  for (const Request& request : one.requests()) {
    const auto length = static_cast<double>(request.tokens.size());
    const double all = length + static_cast<double>(request.generation.max_tokens);
    longest = std::max(longest, all);
    steps += all;
    scored += length - static_cast<double>(request.score_from);
  }
  const double decoding = kStepByStep * layers * block_work(m, steps, longest / 2);
  // Both models write, and each reads what the other wrote.
  const double texts = one.task().follows() ? 4 : 1;
  if (one.task().generates()) return texts * (decoding + kStepByStep * head_work(m, steps));
  const double head = head_work(m, scored) * (one.needs_reference() ? kDivergence : 1);
  return head + (one.entry->engine == Engine::kCache ? decoding : 0);
}

}  // namespace

double RunWork::total(bool with_reference) const {
  double sum =
      static_cast<double>(layers) * (calibration + streams + (with_reference ? reference : 0));
  for (const double one : evaluations) sum += one;
  return sum;
}

RunWork estimated_work(const RunConfig& config, Session& session,
                       const std::vector<PreparedEvaluation>& prepared) {
  const ModelConfig& m = session.model(config.model).checkpoint->config();
  RunWork work{.layers = m.layers, .trains = config.method->trains()};
  work.calibration = kRounding * static_cast<double>(weight_elements(m));
  if (config.calibration) {
    const auto length = static_cast<double>(config.calibration->length);
    const double tokens = length * static_cast<double>(config.calibration->samples);
    work.calibration += config.method->calibration_passes() * block_work(m, tokens, length / 2);
  }
  for (const PreparedEvaluation& one : prepared) {
    work.evaluations.push_back(evaluation_work(m, one));
    double streams = 0;
    for (const RequestBatch& batch : one.batches) {
      const auto length = static_cast<double>(batch.tokens.size(1));
      streams += block_work(m, static_cast<double>(batch.tokens.numel()), length / 2);
    }
    if (one.entry->engine == Engine::kOnePass) work.streams += streams;
    if (one.needs_reference() && !session.full_precision(one.batches_key))
      work.reference += streams;
  }
  return work;
}

WorkDone::WorkDone(RunWork work, bool with_reference, std::function<void(double)> tell)
    : work_(std::move(work)), with_reference_(with_reference), tell_(std::move(tell)) {}

void WorkDone::blocks(double done) const {
  const double whole = std::floor(done);
  const double block = work_.calibration + work_.streams + (with_reference_ ? work_.reference : 0);
  if (tell_)
    tell_((whole * block + (done - whole) * work_.calibration) / work_.total(with_reference_));
}

void WorkDone::evaluation(size_t entry, double share) const {
  double left = (1 - share) * work_.evaluations[entry];
  for (size_t i = entry + 1; i < work_.evaluations.size(); ++i) left += work_.evaluations[i];
  const double total = work_.total(with_reference_);
  if (tell_) tell_((total - left) / total);
}

}  // namespace wkvq
