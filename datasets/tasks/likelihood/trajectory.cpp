#include "datasets/tasks/likelihood/trajectory.h"

#include <algorithm>
#include <stdexcept>

#include "core/base/error.h"
#include "core/base/options/option_limits.h"
#include "datasets/corpora/corpus.h"
#include "datasets/tasks/common/statistics.h"

namespace wkvq {

namespace {

template <class T>
auto field(std::vector<T> Scored::*member) {
  return [member](const Scored& one) {
    return std::vector<double>((one.*member).begin(), (one.*member).end());
  };
}

std::vector<double> equal_tokens(const Scored& one) {
  std::vector<double> equal;
  for (size_t i = 0; i < std::min(one.followed.size(), one.generated.size()); ++i)
    equal.push_back(one.followed[i] == one.generated[i]);
  return equal;
}

std::vector<int64_t> all_tokens(const std::vector<Scored>& scored,
                                std::vector<int32_t> Scored::*text) {
  std::vector<int64_t> all;
  for (const Scored& one : scored) all.insert(all.end(), (one.*text).begin(), (one.*text).end());
  return all;
}

}  // namespace

void TrajectoryTask::visit(OptionVisitor& v) {
  v("prompts", prompts_, "prompts, the beginnings of windows of the text");
  v("prompt_tokens", prompt_tokens_, "tokens of a prompt");
  v("max_tokens", max_tokens_, "tokens that are written after each");
  v("buckets", buckets_, "parts of equal width that the positions are put into");
  v("temperature", temperature_, "0: the most probable token; else tokens are drawn");
  v("seed", seed_, "seed of the draws");
  if (prompts_ < 1) v.reject("prompts", "expected 1 or more");
  if (prompt_tokens_ < 1) v.reject("prompt_tokens", "expected 1 or more");
  if (max_tokens_ < 1) v.reject("max_tokens", "expected 1 or more");
  if (buckets_ < 1 || buckets_ > max_tokens_)
    v.reject("buckets", "expected 1 or more, and no more than max_tokens");
  if (!(temperature_ >= 0)) v.reject("temperature", "expected 0 or more");
  if (temperature_ == 0 && seed_ != 0)
    v.reject("seed", "nothing is drawn at temperature 0; expected a temperature above it");
  check_at_most(v, "prompts", prompts_, kMostSamples);
  check_at_most(v, "prompt_tokens", prompt_tokens_, kMostTokens);
  check_at_most(v, "max_tokens", max_tokens_, kMostTokens);
}

std::string TrajectoryTask::summary() const {
  return "errors that grow while writing: follows the full-precision model's text, and writes its "
         "own";
}

std::vector<Request> TrajectoryTask::prepare(const TaskInputs& inputs) {
  const Corpus& corpus = *inputs.corpus;
  const int64_t length = prompt_tokens_ + max_tokens_;
  if (length > inputs.most())
    config_error(
        "trajectory: prompts of {} tokens and {} written ones, but the model reads at most {}",
        prompt_tokens_, max_tokens_, inputs.most());
  const bool fixed = !corpus.windows.empty();
  std::vector<Request> requests;
  for (auto& window : cut_windows(corpus, fixed ? 0 : length, prompts_)) {
    if (static_cast<int64_t>(window.size()) < prompt_tokens_)
      config_error("trajectory: a window of {} tokens for a prompt of {} ({})", window.size(),
                   prompt_tokens_, corpus.convention);
    window.resize(static_cast<size_t>(prompt_tokens_));
    requests.push_back(
        {.tokens = std::move(window),
         .score_from = prompt_tokens_,
         .prefill = prompt_tokens_,
         .generation = {.max_tokens = max_tokens_, .temperature = temperature_, .seed = seed_}});
  }
  require_no_more("trajectory", "prompts", prompts_, requests.size(), corpus.convention);
  const std::string drawn =
      temperature_ == 0 ? "greedy"
                        : fmt::format("drawn at temperature {}, seed {}", temperature_, seed_);
  convention_ = fmt::format(
      "trajectory: {} prompts of {} tokens, {} tokens written after each, {}, past an end of text "
      "too; {}",
      requests.size(), prompt_tokens_, max_tokens_, drawn, corpus.convention);
  return requests;
}

Metric TrajectoryTask::mean(const std::string& name, const std::string& column,
                            const std::vector<Scored>& scored, const Values& values_of,
                            int64_t first, int64_t last) const {
  std::vector<std::vector<double>> prompts;
  std::vector<int64_t> prompt, position;
  std::vector<float> value;
  for (size_t i = 0; i < scored.size(); ++i) {
    const std::vector<double> values = values_of(scored[i]);
    if (static_cast<int64_t>(values.size()) != max_tokens_)
      throw std::logic_error("trajectory: an answer without a value for every position");
    prompts.emplace_back(values.begin() + first - 1, values.begin() + last);
    value.insert(value.end(), prompts.back().begin(), prompts.back().end());
    prompt.insert(prompt.end(), prompts.back().size(), static_cast<int64_t>(i));
    for (int64_t p = first; p <= last; ++p) position.push_back(p);
  }
  const ClusteredMean mean = clustered_mean(prompts);
  Metric metric{name, mean.mean, mean.standard_error, mean.n, convention_, {}};
  metric.rows = {{"prompt", prompt}, {"position", position}, {column, value}};
  metric.attributes = {
      {"convention_name", "trajectory"}, {"first_position", first}, {"last_position", last}};
  return metric;
}

Metric TrajectoryTask::first_divergence(const std::vector<Scored>& scored) const {
  std::vector<std::vector<double>> values;
  std::vector<int64_t> prompt, tokens;
  for (size_t i = 0; i < scored.size(); ++i) {
    const std::vector<double> equal = equal_tokens(scored[i]);
    prompt.push_back(static_cast<int64_t>(i));
    tokens.push_back(std::ranges::find(equal, 0.0) - equal.begin());
    values.push_back({static_cast<double>(tokens.back())});
  }
  const ClusteredMean mean = clustered_mean(values);
  Metric metric{"first_divergence", mean.mean, mean.standard_error, mean.n, convention_, {}};
  metric.rows = {{"prompt", prompt}, {"tokens", tokens}};
  metric.attributes = {{"convention_name", "trajectory"},
                       {"never", static_cast<int64_t>(std::ranges::count(tokens, max_tokens_))}};
  return metric;
}

Metric TrajectoryTask::nll_increase(const std::vector<Scored>& scored) const {
  std::vector<std::vector<double>> values;
  std::vector<int64_t> prompt;
  std::vector<double> increase;
  for (size_t i = 0; i < scored.size(); ++i) {
    const auto mean_of = [](const std::vector<float>& nll) {
      return clustered_mean({std::vector<double>(nll.begin(), nll.end())}).mean;
    };
    prompt.push_back(static_cast<int64_t>(i));
    increase.push_back(mean_of(scored[i].generated_nll) - mean_of(scored[i].full_nll));
    values.push_back({increase.back()});
  }
  const ClusteredMean mean = clustered_mean(values);
  Metric metric{"written_nll_increase", mean.mean, mean.standard_error, mean.n, convention_, {}};
  metric.rows = {{"prompt", prompt}, {"nll_increase", increase}};
  metric.attributes = {{"convention_name", "trajectory"}};
  return metric;
}

std::vector<Metric> TrajectoryTask::score(const std::vector<Scored>& scored) const {
  const auto kl = field(&Scored::kl);
  std::vector<Metric> metrics{over_all("trajectory_kl", "kl", scored, kl)};
  const int64_t width = max_tokens_ / buckets_;
  for (int64_t i = 0; i < buckets_; ++i) {
    const int64_t first = 1 + i * width, last = i + 1 < buckets_ ? (i + 1) * width : max_tokens_;
    if (buckets_ > 1)
      metrics.push_back(
          mean(fmt::format("trajectory_kl_{}_{}", first, last), "kl", scored, kl, first, last));
  }
  metrics.push_back(over_all("trajectory_top1", "agree", scored, field(&Scored::top1_agree)));
  metrics.push_back(first_divergence(scored));
  metrics.push_back(over_all("equal_tokens", "equal", scored, equal_tokens));
  metrics.push_back(over_all("followed_nll", "nll", scored, field(&Scored::full_nll)));
  metrics.back().rows["token"] = all_tokens(scored, &Scored::followed);
  metrics.push_back(over_all("written_nll", "nll", scored, field(&Scored::generated_nll)));
  metrics.back().rows["token"] = all_tokens(scored, &Scored::generated);
  metrics.push_back(nll_increase(scored));
  return metrics;
}

}  // namespace wkvq
