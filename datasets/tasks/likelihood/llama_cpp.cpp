#include "datasets/tasks/likelihood/llama_cpp.h"

#include <algorithm>
#include <iterator>

#include "core/base/error.h"
#include "core/base/options/option_limits.h"
#include "datasets/corpora/corpus.h"

namespace wkvq {

void LlamaCppPerplexityTask::visit(OptionVisitor& v) {
  v("context", context_, "tokens of a chunk (llama.cpp: n_ctx)");
  v("chunks", chunks_, "chunks to score, 0: all");
  v("kl", kl_, "also KL divergence to full precision and top-1 agreement with it");
  if (context_ < 3) v.reject("context", "expected 3 or more: no token would be scored");
  check_at_most(v, "context", context_, kMostTokens);
  if (chunks_ < 0) v.reject("chunks", "expected 0 (all) or more");
}

std::string LlamaCppPerplexityTask::summary() const {
  return "perplexity over the second half of every chunk (llama.cpp's convention)";
}

std::vector<Request> LlamaCppPerplexityTask::prepare(const TaskInputs& inputs) {
  const Corpus& corpus = *inputs.corpus;
  if (!corpus.windows.empty())
    config_error("llama_cpp_perplexity: fixed windows; expected running text ({})",
                 corpus.convention);
  if (context_ > inputs.most())
    config_error("llama_cpp_perplexity: context {}, but the model reads at most {}", context_,
                 inputs.most());
  const auto given = static_cast<int64_t>(corpus.stream.size());
  if (given / context_ < 2)
    config_error("llama_cpp_perplexity: {} tokens given, expected two chunks of {} or more ({})",
                 given, context_, corpus.convention);
  const Tokenizer* tokenizer = inputs.text ? inputs.text->tokenizer : nullptr;
  const bool bos = tokenizer && tokenizer->adds_bos() && tokenizer->bos_token() >= 0;
  const int64_t score_from = context_ / 2 + 1;
  std::vector<Request> requests;
  std::vector<TokenPlace> places;
  for (auto& chunk : cut_windows(corpus, context_, chunks_)) {
    if (bos) chunk.front() = static_cast<int32_t>(tokenizer->bos_token());
    places.push_back({static_cast<int64_t>(requests.size()), score_from});
    requests.push_back({std::move(chunk), score_from, 0});
  }
  require_no_more("llama_cpp_perplexity", "chunks", chunks_, requests.size(), corpus.convention);
  scores_ = TokenScores("llama_cpp_", TokenScores::Cluster::kWindow, std::move(places));
  scores_.attributes = {{"convention_name", "llama_cpp"},
                        {"windows", static_cast<int64_t>(requests.size())}};
  scores_.convention = fmt::format(
      "llama.cpp chunks, context {}, tail dropped, {} chunks, {}, tokens {}..{} scored; {}",
      context_, requests.size(),
      bos ? "first token of each replaced by BOS" : "no BOS added to a chunk", score_from,
      context_ - 1, corpus.convention);
  return requests;
}

std::vector<Metric> LlamaCppPerplexityTask::score(const std::vector<Scored>& scored) const {
  std::vector<Metric> metrics = {scores_.perplexity(scored)};
  if (kl_) std::ranges::move(scores_.divergence(scored), std::back_inserter(metrics));
  return metrics;
}

}  // namespace wkvq
