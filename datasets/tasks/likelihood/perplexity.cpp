#include "datasets/tasks/likelihood/perplexity.h"

#include <algorithm>
#include <iterator>

#include "core/base/error.h"
#include "core/base/options/option_limits.h"
#include "datasets/corpora/corpus.h"

namespace wkvq {

void PerplexityTask::visit(OptionVisitor& v) {
  v("context", context_, "tokens of a window; 0: fixed windows as they are, else the model's most");
  v("windows", windows_, "windows to score, 0: all");
  v("score_from", score_from_, "first position that is scored");
  v("kl", kl_, "also KL divergence to full precision and top-1 agreement with it");
  if (context_ < 0 || context_ == 1) v.reject("context", "expected 0 or at least 2 tokens");
  check_at_most(v, "context", context_, kMostTokens);
  if (windows_ < 0) v.reject("windows", "expected 0 (all) or more");
  if (score_from_ < 1) v.reject("score_from", "expected 1 or more: token 0 has nothing before it");
  if (context_ > 0 && score_from_ >= context_) {
    v.reject("score_from", "expected less than context: no token would be scored");
  }
}

std::string PerplexityTask::summary() const {
  return "perplexity over windows (GPTQ convention), with kl: KL divergence to full precision";
}

std::vector<Request> PerplexityTask::prepare(const TaskInputs& inputs) {
  const Corpus& corpus = *inputs.corpus;
  const bool fixed = !corpus.windows.empty();
  const int64_t length = context_ > 0 || fixed ? context_ : inputs.max_context;
  const auto windows = cut_windows(corpus, length, windows_);
  require_no_more("perplexity", "windows", windows_, windows.size(), corpus.convention);
  std::vector<Request> requests;
  std::vector<TokenPlace> places;
  int64_t longest = 0;
  for (const auto& window : windows) {
    const int64_t size = static_cast<int64_t>(window.size());
    if (size > inputs.most()) {
      config_error("perplexity: windows of {} tokens, but the model reads at most {}: set context",
                   size, inputs.most());
    }
    if (size <= score_from_) {
      config_error("perplexity: score_from {} leaves nothing to score in a window of {} tokens",
                   score_from_, size);
    }
    longest = std::max(longest, size);
    places.push_back({static_cast<int64_t>(requests.size()), score_from_});
    requests.push_back({window, score_from_, 0});
  }
  const std::string cut = fixed ? fmt::format("fixed windows, context {}", longest)
                                : fmt::format("GPTQ windows, context {}, tail dropped", longest);
  scores_ = TokenScores("", TokenScores::Cluster::kWindow, std::move(places));
  scores_.attributes = {{"convention_name", fixed ? "fixed_windows" : "gptq_windows"},
                        {"windows", static_cast<int64_t>(windows.size())}};
  scores_.convention =
      fmt::format("{}, {} windows, no BOS added to a window, tokens {}..{} scored; {}", cut,
                  windows.size(), score_from_, longest - 1, corpus.convention);
  return requests;
}

std::vector<Metric> PerplexityTask::score(const std::vector<Scored>& scored) const {
  std::vector<Metric> metrics = {scores_.perplexity(scored)};
  if (kl_) std::ranges::move(scores_.divergence(scored), std::back_inserter(metrics));
  return metrics;
}

}  // namespace wkvq
