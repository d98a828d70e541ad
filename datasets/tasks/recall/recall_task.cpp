#include "datasets/tasks/recall/recall_task.h"

#include <algorithm>
#include <stdexcept>

#include "core/base/error.h"
#include "core/base/files/hash.h"
#include "core/base/options/option_limits.h"
#include "datasets/corpora/corpus.h"
#include "datasets/tasks/common/statistics.h"
#include "datasets/tokenizers/generated_text.h"

namespace wkvq {

namespace {

/// The tokens of the longest prompt of `item` that has at most `length`; empty where none has.
std::vector<int32_t> longest_prompt(const DatasetContext& context, const HiddenAnswer& item,
                                    int64_t length) {
  const auto tokens = [&](int64_t units) {
    return encode_text(context, item.prompt(units), BosRule::kTokenizer);
  };
  std::vector<int32_t> best;
  int64_t fits = -1, too_many = 1;
  for (;; too_many *= 2) {
    std::vector<int32_t> tried = tokens(too_many);
    if (static_cast<int64_t>(tried.size()) > length) break;
    best = std::move(tried);
    fits = too_many;
  }
  while (too_many - fits > 1) {
    const int64_t middle = (fits + too_many) / 2;
    std::vector<int32_t> tried = tokens(middle);
    if (static_cast<int64_t>(tried.size()) > length) {
      too_many = middle;
    } else {
      best = std::move(tried);
      fits = middle;
    }
  }
  return best;
}

/// The first stretch of ASCII digits; empty where there is none.
std::string first_number(const std::string& text) {
  constexpr const char* kDigits = "0123456789";
  const size_t begin = std::min(text.find_first_of(kDigits), text.size());
  return text.substr(begin, text.find_first_not_of(kDigits, begin) - begin);
}

}  // namespace

void RecallTask::visit(OptionVisitor& v) {
  constexpr int64_t kMost = kMostTokens;
  v("length", length_, "tokens of a prompt, 0: as many as the model can read");
  v("depths", depths_, "where the answer stands, percent of the filling before it");
  v("items", items_, "prompts at each depth");
  v("max_tokens", max_tokens_, "tokens of an answer");
  v("seed", seed_, "seed of what is hidden");
  if (length_ < 0 || length_ > kMost) v.reject("length", "expected 0 (the most) to 2^24");
  if (depths_.empty()) v.reject("depths", "expected at least one");
  for (const int64_t depth : depths_)
    if (depth < 0 || depth > 100) v.reject("depths", "expected percentages, 0 to 100");
  if (items_ < 1) v.reject("items", "expected 1 or more");
  if (max_tokens_ < 1) v.reject("max_tokens", "expected 1 or more");
  check_at_most(v, "items", items_, kMostSamples);
  check_at_most(v, "max_tokens", max_tokens_, kMostTokens);
  check_tokens_in_all(v, "items", items_ * static_cast<int64_t>(depths_.size()), length_);
}

std::vector<Request> RecallTask::prepare(const TaskInputs& inputs) {
  const int64_t most = inputs.most() - max_tokens_;
  const int64_t length = length_ > 0 ? length_ : inputs.max_context - max_tokens_;
  if (length > most || length < 1)
    config_error("{}: prompts of {} tokens and answers of {}, but the model reads at most {}",
                 label(), length, max_tokens_, inputs.most());
  tokenizer_ = inputs.text->tokenizer;
  depth_of_.clear();
  prompt_tokens_.clear();
  expected_.clear();
  BoundedRandom random(seed_);
  Hasher hasher;
  std::vector<Request> requests;
  for (const int64_t depth : depths_)
    for (int64_t i = 0; i < items_; ++i) {
      const HiddenAnswer item = draw(depth, random);
      std::vector<int32_t> tokens = longest_prompt(*inputs.text, item, length);
      if (tokens.empty())
        config_error("{}: length {}: a prompt without any filling has {} tokens", label(), length,
                     encode_text(*inputs.text, item.prompt(0), BosRule::kTokenizer).size());
      depth_of_.push_back(depth);
      expected_.push_back(item.answer);
      prompt_tokens_.push_back(static_cast<int64_t>(tokens.size()));
      hasher.add(tokens.data(), tokens.size() * sizeof(int32_t)).add_part(item.answer);
      requests.push_back({.tokens = std::move(tokens),
                          .score_from = prompt_tokens_.back(),
                          .prefill = prompt_tokens_.back(),
                          .generation = {.max_tokens = max_tokens_, .stop = {"\n"}}});
    }
  fingerprint_ = hasher.hex();
  convention_ = fmt::format(
      "{}: {} items at each of {} depths, prompts of at most {} tokens, seed {}, greedy, at most "
      "{} tokens up to a line break; right where the first number written is the hidden one",
      label(), items_, depths_.size(), length, seed_, max_tokens_);
  return requests;
}

std::vector<Metric> RecallTask::score(const std::vector<Scored>& scored) const {
  if (scored.size() != expected_.size())
    throw std::logic_error("recall: not one answer for every request");
  std::vector<int64_t> item, correct;
  std::vector<std::string> answers;
  std::vector<std::vector<double>> right;
  for (size_t i = 0; i < scored.size(); ++i) {
    answers.push_back(generated_text(*tokenizer_, scored[i].generated, {"\n"}));
    item.push_back(static_cast<int64_t>(i));
    correct.push_back(first_number(answers.back()) == expected_[i]);
    right.push_back({static_cast<double>(correct.back())});
  }
  const ClusteredMean mean = clustered_mean(right);
  Metric metric{"acc", mean.mean, mean.standard_error, mean.n, convention_, {}};
  metric.rows = {{"item", item},       {"depth", depth_of_},    {"length", prompt_tokens_},
                 {"correct", correct}, {"expected", expected_}, {"answer", answers}};
  return {metric};
}

}  // namespace wkvq
