#include "datasets/tasks/likelihood/context_curve.h"

#include <stdexcept>

#include "core/base/error.h"
#include "core/base/options/option_limits.h"
#include "datasets/corpora/corpus.h"
#include "datasets/tasks/common/statistics.h"

namespace wkvq {

void ContextCurveTask::visit(OptionVisitor& v) {
  v("context", context_, "tokens of a window; 0: the model's most");
  v("windows", windows_, "windows to score, 0: all");
  v("buckets", buckets_, "parts of equal width that the positions are put into");
  v("kl", kl_, "also KL divergence to full precision by bucket");
  if (context_ < 0 || context_ == 1) v.reject("context", "expected 0 or at least 2 tokens");
  check_at_most(v, "context", context_, kMostTokens);
  if (windows_ < 0) v.reject("windows", "expected 0 (all) or more");
  if (buckets_ < 1) v.reject("buckets", "expected 1 or more");
}

std::string ContextCurveTask::summary() const {
  return "NLL by position in the context: where along it quantization costs most";
}

std::vector<Request> ContextCurveTask::prepare(const TaskInputs& inputs) {
  const Corpus& corpus = *inputs.corpus;
  const bool fixed = !corpus.windows.empty();
  const int64_t asked = context_ > 0 || fixed ? context_ : inputs.max_context;
  std::vector<Request> requests;
  for (auto& window : cut_windows(corpus, asked, windows_))
    requests.push_back({std::move(window), 1, 0});
  require_no_more("context_curve", "windows", windows_, requests.size(), corpus.convention);
  const auto length = static_cast<int64_t>(requests.front().tokens.size());
  for (const Request& request : requests)
    if (static_cast<int64_t>(request.tokens.size()) != length)
      config_error(
          "context_curve: windows of {} and {} tokens; expected equal lengths: set context", length,
          request.tokens.size());
  if (length > inputs.most())
    config_error("context_curve: windows of {} tokens, but the model reads at most {}: set context",
                 length, inputs.most());
  if (length - 1 < buckets_)
    config_error("context_curve: {} buckets for {} scored positions; expected no more than those",
                 buckets_, length - 1);
  parts_.clear();
  const int64_t width = (length - 1) / buckets_;
  for (int64_t i = 0; i < buckets_; ++i)
    parts_.push_back({1 + i * width, i + 1 < buckets_ ? (i + 1) * width : length - 1});
  convention_ = fmt::format(
      "NLL by position, context {}, {} windows, tail dropped, no BOS added to a window, {} "
      "buckets; {}",
      length, requests.size(), buckets_, corpus.convention);
  return requests;
}

Metric ContextCurveTask::bucket_mean(const std::string& name, const std::vector<Scored>& scored,
                                     std::vector<float> Scored::*field,
                                     const Bucket& bucket) const {
  std::vector<std::vector<double>> windows;
  std::vector<int64_t> window, position;
  std::vector<float> value;
  for (size_t i = 0; i < scored.size(); ++i) {
    const std::vector<float>& values = scored[i].*field;
    if (static_cast<int64_t>(values.size()) < parts_.back().last)
      throw std::logic_error("context_curve: an answer without a value for every scored token");
    // The token at position p is the answer's number p - 1.
    const std::vector<float> part(values.begin() + bucket.first - 1, values.begin() + bucket.last);
    windows.emplace_back(part.begin(), part.end());
    value.insert(value.end(), part.begin(), part.end());
    window.insert(window.end(), part.size(), static_cast<int64_t>(i));
    for (int64_t p = bucket.first; p <= bucket.last; ++p) position.push_back(p);
  }
  const ClusteredMean mean = clustered_mean(windows);
  Metric metric{fmt::format("{}_{}_{}", name, bucket.first, bucket.last),
                mean.mean,
                mean.standard_error,
                mean.n,
                convention_,
                {{"window", window}, {"position", position}, {name, value}}};
  metric.attributes = {{"convention_name", "context_curve"},
                       {"windows", static_cast<int64_t>(scored.size())},
                       {"first_position", bucket.first},
                       {"last_position", bucket.last}};
  return metric;
}

std::vector<Metric> ContextCurveTask::score(const std::vector<Scored>& scored) const {
  std::vector<Metric> metrics;
  for (const Bucket& bucket : parts_)
    metrics.push_back(bucket_mean("nll", scored, &Scored::nll, bucket));
  for (const Bucket& bucket : parts_)
    if (kl_) metrics.push_back(bucket_mean("kl", scored, &Scored::kl, bucket));
  return metrics;
}

}  // namespace wkvq
