#include "experiments/score/memory_plan.h"

#include <algorithm>
#include <set>

#include "core/base/checkpoint/model_tensors.h"
#include "core/device/torch_headers.h"
#include "experiments/score/cost.h"
#include "experiments/score/generation.h"
#include "experiments/score/scoring.h"

namespace wkvq {

namespace {

/// Stored bits of a weight, mean over all blocks.
double mean_weight_bits(const RunConfig& config, const ModelConfig& model) {
  double sum = 0;
  for (int64_t layer = 0; layer < model.layers; ++layer)
    sum += stored_bits(*config.method, layer, model, compute_bits(config)).weight;
  return sum / static_cast<double>(model.layers);
}

double file_bytes(const std::filesystem::path& folder) {
  for (const char* name : {"tokenizer.json", "tokenizer.model", "vocab.json"})
    if (std::filesystem::exists(folder / name))
      return static_cast<double>(std::filesystem::file_size(folder / name));
  return 0;
}

/// Tokens in a block at once, where batches go through it side by side (for_each_batch).
double at_once(size_t batches, int64_t largest) {
  const int64_t threads = at::get_num_threads();
  return static_cast<double>(static_cast<int64_t>(batches) >= threads ? threads * largest
                                                                      : largest);
}

/// Adds what the evaluations hold.
void add_evaluations(const ModelConfig& model, const std::vector<PreparedEvaluation>& prepared,
                     ProcessQuestion& question) {
  std::set<std::string> references;
  for (const PreparedEvaluation& one : prepared) {
    const bool cache = one.entry->engine == Engine::kCache;
    if (cache && one.entry->storage == Storage::kSimulated) question.keeps_blocks = true;
    const auto vocabulary = static_cast<double>(model.vocab_size);
    if (cache)
      question.cache_bytes =
          std::max(question.cache_bytes, cache_bytes_at_most(model, question.element_bytes, one));
    // The model that is followed has its blocks and caches beside those of the one that follows.
    if (one.task().follows())
      question.cache_bytes +=
          question.cache_bytes + (question.resident
                                      ? 0
                                      : question.element_bytes * static_cast<double>(model.layers) *
                                            static_cast<double>(weight_elements(model)));
    if (one.task().generates()) {
      const auto together = static_cast<double>(std::min(kPromptsTogether, one.requests().size()));
      question.written_values = std::max(question.written_values, 2 * together * vocabulary);
      continue;
    }
    int64_t tokens = 0, largest = 0;
    for (const RequestBatch& batch : one.batches) {
      tokens += batch.tokens.numel();
      largest = std::max(largest, batch.tokens.numel());
    }
    question.stream_tokens += static_cast<double>(tokens);
    if (one.needs_reference() && references.insert(one.batches_key).second)
      question.stream_tokens += static_cast<double>(tokens);
    question.tokens_at_once =
        std::max(question.tokens_at_once, at_once(one.batches.size(), largest));
    const int64_t rows = std::min(kLogitRows, largest);
    question.logit_values = std::max(
        question.logit_values, at_once(one.batches.size(), rows) * vocabulary *
                                   (one.needs_reference() ? kLogitCopiesWithKl : kLogitCopies));
  }
}

/// Adds what calibration holds.
void add_calibration(const RunConfig& config, const ModelConfig& model, ProcessQuestion& question) {
  const CalibrationNeeds needs = config.method->calibration_needs();
  if (needs == CalibrationNeeds::kNone || !config.calibration) return;
  const auto& [data, samples, length, seed, from] = *config.calibration;
  const int64_t rows = std::min(samples, std::max<int64_t>(1, kCalibrationBatchTokens / length));
  const double tokens = static_cast<double>(samples * length);
  question.method =
      config.method->calibration_memory(model, {.element_bytes = question.element_bytes,
                                                .tokens = samples * length,
                                                .batch_tokens = rows * length,
                                                .window_tokens = length});
  const bool apart = question.rewrites || config.method->chain_sees_cache();
  const bool kept = tokens * static_cast<double>(model.hidden_size * (model.layers + 1)) *
                        question.element_bytes <=
                    static_cast<double>(kFullPrecisionBudget);
  double states = kept ? static_cast<double>(model.layers + 1) : 2.0;
  if (needs == CalibrationNeeds::kQuantizedChain && apart) states = 1;  // those entering block 0
  question.stream_tokens += tokens * (states + (apart ? 1 : 0));
  const auto batches = static_cast<size_t>((samples + rows - 1) / rows);
  question.tokens_at_once = std::max(question.tokens_at_once, at_once(batches, rows * length));
}

double width_in_files(const Checkpoint& checkpoint) {
  const TensorSpec spec = block_tensors(checkpoint.config(), 0).front();
  return static_cast<double>(dtype_width(checkpoint.files().at(spec.name).entry->dtype));
}

}  // namespace

ProcessQuestion process_question(const RunConfig& config,
                                 const std::vector<PreparedEvaluation>& prepared,
                                 Session& session) {
  LoadedModel& loaded = session.model(config.model);
  const ModelConfig& model = loaded.checkpoint->config();
  const double bits = mean_weight_bits(config, model);
  ProcessQuestion question{.element_bytes = static_cast<double>(compute_bits(config)) / 8,
                           .stored_bytes = width_in_files(*loaded.checkpoint),
                           .resident = loaded.source->resident(),
                           .rewrites = bits < static_cast<double>(compute_bits(config)),
                           .tokenizer_bytes = file_bytes(loaded.checkpoint->folder())};
  for (const PreparedEvaluation& one : prepared)
    if (one.entry->storage == Storage::kPacked) question.packed_bits = bits;
  add_evaluations(model, prepared, question);
  add_calibration(config, model, question);
  return question;
}

}  // namespace wkvq
