#include "datasets/tasks/likelihood/rolling.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>
#include <numeric>

#include "core/base/error.h"
#include "core/base/files/hash.h"
#include "core/base/options/option_limits.h"
#include "datasets/tasks/common/statistics.h"

namespace wkvq {

namespace {

/// BOS, else EOS, as lm-evaluation-harness takes it.
int32_t prefix_token(const DatasetContext& context) {
  const Tokenizer& tokenizer = *context.tokenizer;
  const int64_t token = tokenizer.bos_token() >= 0 ? tokenizer.bos_token() : tokenizer.eos_token();
  if (token < 0)
    config_error(
        "rolling_perplexity: the tokenizer of model '{}' has neither BOS nor EOS to stand "
        "before a document",
        context.model_name);
  return static_cast<int32_t>(token);
}

}  // namespace

std::vector<Request> rolling_windows(const std::vector<int32_t>& tokens, int32_t prefix,
                                     int64_t length) {
  std::vector<int32_t> text = {prefix};
  text.insert(text.end(), tokens.begin(), tokens.end());
  std::vector<Request> requests;
  const auto total = static_cast<int64_t>(tokens.size());
  for (int64_t done = 0; done < total; done += length) {
    const int64_t fresh = std::min(length, total - done);
    const int64_t begin = std::max<int64_t>(0, done + fresh - length);
    // Token i of the document is text[i + 1]: [begin, done + fresh] is what stands before the fresh
    // tokens and these.
    requests.push_back({.tokens = {text.begin() + begin, text.begin() + done + fresh + 1},
                        .score_from = done + 1 - begin,
                        .reads_last = false});
  }
  return requests;
}

void RollingPerplexityTask::visit(OptionVisitor& v) {
  v("context", context_, "tokens that the model reads of a window; 0: the model's most");
  v("documents", documents_, "documents to score, 0: all");
  v.choice("bos", bos_, bos_rule_names(),
           "BOS in a document as the tokenizer's files ask, none, or one at its start; the prefix "
           "token stands before it in any case");
  v("kl", kl_, "also KL divergence to full precision and top-1 agreement with it");
  if (context_ < 0) v.reject("context", "expected 0 (the model's most) or more");
  check_at_most(v, "context", context_, kMostTokens);
  if (documents_ < 0) v.reject("documents", "expected 0 (all) or more");
}

std::string RollingPerplexityTask::summary() const {
  return "word and byte perplexity of documents (lm-evaluation-harness's rolling convention)";
}

std::vector<Request> RollingPerplexityTask::prepare(const TaskInputs& inputs) {
  const int64_t length = context_ > 0 ? context_ : inputs.max_context;
  if (length > inputs.most())
    config_error("rolling_perplexity: context {}, but the model reads at most {}", length,
                 inputs.most());
  if (!inputs.corpus->documents)
    config_error(
        "rolling_perplexity: no documents to keep apart; expected data set wikitext2, "
        "jsonl, text, ptb or c4 (new), got: {}",
        inputs.corpus->convention);
  Documents documents = inputs.corpus->documents();
  require_no_more("rolling_perplexity", "documents", documents_, documents.items.size(),
                  documents.convention);
  if (documents_ > 0 && documents.items.size() > static_cast<size_t>(documents_))
    documents.items.resize(static_cast<size_t>(documents_));
  words_.clear(), bytes_.clear(), document_of_request_.clear();
  std::vector<Request> requests;
  std::vector<TokenPlace> places;
  Hasher hasher;
  int32_t prefix = -1;
  for (const Document& document : documents.items) {
    const std::vector<int32_t> tokens = encode_text(*inputs.text, document.text, bos_);
    if (prefix < 0) prefix = prefix_token(*inputs.text);
    for (Request& request : rolling_windows(tokens, prefix, length)) {
      places.push_back({static_cast<int64_t>(words_.size()), request.score_from});
      document_of_request_.push_back(words_.size());
      requests.push_back(std::move(request));
    }
    hasher.add_part(
        {reinterpret_cast<const char*>(tokens.data()), tokens.size() * sizeof(int32_t)});
    hasher.add_part(fmt::format("{} words, {} bytes", document.words, document.bytes));
    words_.push_back(document.words);
    bytes_.push_back(document.bytes);
  }
  if (requests.empty()) config_error("rolling_perplexity: no text ({})", documents.convention);
  fingerprint_ = hasher.hex();
  scores_ = TokenScores("rolling_", TokenScores::Cluster::kDocument, std::move(places));
  scores_.attributes = {{"convention_name", "lm_eval_rolling"},
                        {"windows", static_cast<int64_t>(requests.size())},
                        {"documents", static_cast<int64_t>(words_.size())}};
  if (documents_ > 0) scores_.attributes["limit"] = documents_;
  scores_.convention = fmt::format(
      "lm-eval rolling, context {}, {} documents apart in {} windows, {} {} before each document, "
      "one token of context before a window, the last window extended to the left, every token "
      "scored once, {}; {}",
      length, words_.size(), requests.size(),
      inputs.text->tokenizer->bos_token() >= 0 ? "BOS" : "EOS", prefix,
      bos_words(*inputs.text, bos_), documents.convention);
  return requests;
}

Metric RollingPerplexityTask::by_unit(const std::string& name, const std::vector<double>& nll,
                                      const std::vector<int64_t>& units,
                                      const std::string& unit) const {
  const Ratio ratio = clustered_ratio(nll, {units.begin(), units.end()});
  std::vector<int64_t> document(units.size());
  std::iota(document.begin(), document.end(), int64_t{0});
  Metric metric{name, ratio.value, ratio.standard_error, 0, scores_.convention, {}};
  metric.rows = {{"document", document}, {"nll", nll}, {unit, units}};
  metric.attributes = scores_.attributes;
  return metric;
}

std::vector<Metric> RollingPerplexityTask::score(const std::vector<Scored>& scored) const {
  Metric by_token = scores_.perplexity(scored);
  std::vector<double> nll(words_.size(), 0.0);
  for (size_t i = 0; i < scored.size(); ++i)
    for (const float value : scored[i].nll)
      nll[document_of_request_[i]] += static_cast<double>(value);
  std::vector<Metric> metrics;
  for (const bool words : {true, false}) {
    Metric metric = by_unit(words ? "word_perplexity" : "byte_perplexity", nll,
                            words ? words_ : bytes_, words ? "words" : "bytes");
    metric.value = std::exp(metric.value);
    metric.stderr_ *= metric.value;
    metrics.push_back(std::move(metric));
  }
  Metric bits = by_unit("bits_per_byte", nll, bytes_, "bytes");
  bits.value /= std::numbers::ln2;
  bits.stderr_ /= std::numbers::ln2;
  metrics.push_back(std::move(bits));
  for (Metric& metric : metrics) metric.n = by_token.n;
  metrics.push_back(std::move(by_token));
  if (kl_) std::ranges::move(scores_.divergence(scored), std::back_inserter(metrics));
  return metrics;
}

}  // namespace wkvq
