#include "experiments/score/generation.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "core/device/torch_headers.h"
#include "core/generate/generator.h"
#include "datasets/tokenizers/generated_text.h"

namespace wkvq {

namespace {

/// The prompts of `chosen`, and what watches the text that each of them becomes.
struct Chosen {
  std::vector<Prompt> prompts;
  std::vector<std::optional<GeneratedText>> texts;
};

Chosen choose(const LoadedModel& model, const PreparedEvaluation& prepared,
              const std::vector<size_t>& chosen) {
  Chosen made;
  for (const size_t i : chosen) {
    const Request& request = prepared.requests()[i];
    const auto length = static_cast<int64_t>(request.tokens.size());
    made.prompts.push_back(
        {.tokens = request.tokens,
         .prefill = prefill_of(prepared.view, prepared.entry->context_prefill, length),
         .max_tokens = request.generation.max_tokens,
         .sequence = static_cast<int64_t>(i)});
    made.texts.emplace_back();
    if (!request.generation.stop.empty() && model.tokenizer)
      made.texts.back().emplace(*model.tokenizer, request.generation.stop);
  }
  return made;
}

}  // namespace

std::vector<int64_t> end_tokens(const ModelConfig& config, const Tokenizer* tokenizer) {
  std::vector<int64_t> ends = config.end_tokens;
  if (tokenizer && tokenizer->eos_token() >= 0 &&
      std::find(ends.begin(), ends.end(), tokenizer->eos_token()) == ends.end())
    ends.push_back(tokenizer->eos_token());
  return ends;
}

int64_t prefill_of(const KvViewOptions& view, bool context_prefill, int64_t tokens) {
  // Nothing is quantized under `none`: the prompt may as well go in at once.
  if (view.mode == ViewMode::kNone) return tokens;
  if (view.mode != ViewMode::kPast) return 0;
  return context_prefill ? tokens : view.prefill;
}

double cache_bytes_at_most(const ModelConfig& config, double element_bytes,
                           const PreparedEvaluation& prepared) {
  // Objects around the codes of each token: codes, scales and offsets are tensors of their own.
  constexpr double kObjects = 1000;
  double tokens = 0;
  for (const RequestBatch& batch : prepared.batches)
    tokens = std::max(tokens, static_cast<double>(batch.tokens.numel()));
  if (prepared.task().generates()) {
    double longest = 0;
    for (const Request& request : prepared.requests())
      longest = std::max(longest, static_cast<double>(request.tokens.size()) +
                                      static_cast<double>(request.generation.max_tokens));
    tokens = longest * static_cast<double>(std::min(kPromptsTogether, prepared.requests().size()));
  }
  const auto width = static_cast<double>(config.kv_heads * config.head_dim);
  const double keys_and_values = 2 * (width * (2 * element_bytes + 1) + kObjects);
  return tokens * static_cast<double>(config.layers) * keys_and_values;
}

std::vector<Scored> generate_answers(LoadedModel& model, const PreparedEvaluation& prepared,
                                     const std::vector<QuantizedBlock>& blocks,
                                     const ShareTold& told) {
  const std::vector<Request>& requests = prepared.requests();
  std::vector<size_t> order(requests.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return requests[a].tokens.size() > requests[b].tokens.size();
  });
  Generator generator(*model.source, blocks, prepared.view, prepared.entry->storage);
  std::vector<Scored> scored(requests.size());
  for (size_t first = 0; first < order.size(); first += kPromptsTogether) {
    const size_t last = std::min(order.size(), first + kPromptsTogether);
    const std::vector<size_t> chosen(order.begin() + static_cast<std::ptrdiff_t>(first),
                                     order.begin() + static_cast<std::ptrdiff_t>(last));
    Chosen made = choose(model, prepared, chosen);
    // Those that are done, and of these as far as the longest is.
    std::vector<int64_t> written_of(chosen.size());
    const auto tell = [&](const WrittenToken& token) {
      if (!told) return;
      const int64_t most = std::max<int64_t>(1, made.prompts[token.prompt].max_tokens);
      const double part = static_cast<double>(++written_of[token.prompt]) /
                          static_cast<double>(most) * static_cast<double>(chosen.size());
      told((static_cast<double>(first) + part) / static_cast<double>(order.size()));
    };
    const auto written = generator.generate(
        made.prompts, {.end_tokens = end_tokens(model.source->config(), model.tokenizer.get()),
                       .on_token = [&](const WrittenToken& token) {
                         tell(token);
                         std::optional<GeneratedText>& text = made.texts[token.prompt];
                         return !text || text->push(token.token);
                       }});
    for (size_t i = 0; i < chosen.size(); ++i) scored[chosen[i]].generated = written[i];
  }
  return scored;
}

}  // namespace wkvq
