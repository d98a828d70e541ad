#pragma once

#include <vector>

#include "core/calibrate/method.h"
#include "core/model/model_source.h"
#include "datasets/tokenizers/tokenizer.h"
#include "experiments/score/evaluation.h"

namespace wkvq {

/// Prompts that write together: enough rows for the linears, few enough caches.
inline constexpr size_t kPromptsTogether = 16;

/// Tokens that end a text: those that configuration and tokenizer (may be null) call EOS.
std::vector<int64_t> end_tokens(const ModelConfig& config, const Tokenizer* tokenizer);

/// The prefill of a prompt of `tokens` under an entry's `view`: all of it where contexts attend in
/// full precision, else what the view says.
int64_t prefill_of(const KvViewOptions& view, bool context_prefill, int64_t tokens);

/// Bytes of the caches of as many sequences as go through the model together, simulated: what
/// attention reads in tensors that may just have doubled, and codes.
double cache_bytes_at_most(const ModelConfig& config, double element_bytes,
                           const PreparedEvaluation& prepared);

/// What the quantized model writes, greedily, for each request of `prepared`: Scored::generated.
/// Longer prompts go first, `kPromptsTogether` at a time; blocks and caches are of the entry's
/// storage.
std::vector<Scored> generate_answers(LoadedModel& model, const PreparedEvaluation& prepared,
                                     const std::vector<QuantizedBlock>& blocks,
                                     const ShareTold& told = {});

}  // namespace wkvq
