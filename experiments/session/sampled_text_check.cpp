#include "experiments/session/sampled_text_check.h"

#include <random>

#include "core/base/error.h"

namespace wkvq {

namespace {

/// What data sets see of a model, with random tokens in the place of sampled ones: checks of
/// numbers and lengths look at nothing else.
DatasetContext stand_in(const LoadedModel& model) {
  const ModelConfig& config = model.checkpoint->config();
  const auto tokens = [&config](int64_t count, int64_t length, int64_t seed) {
    if (length > config.max_positions)
      config_error("dataset self: length {}, but the model reads at most {} tokens", length,
                   config.max_positions);
    std::mt19937_64 random(static_cast<uint64_t>(seed));
    std::vector<std::vector<int32_t>> windows(static_cast<size_t>(count));
    for (auto& window : windows)
      for (int64_t i = 0; i < length; ++i)
        window.push_back(static_cast<int32_t>(random() % static_cast<uint64_t>(config.vocab_size)));
    return windows;
  };
  return {.tokenizer = model.tokenizer.get(),
          .sample_self = tokens,
          .vocab_size = config.vocab_size,
          .model_name = model.checkpoint->folder().filename().string()};
}

}  // namespace

void check_sampled_text(const RunConfig& config, Session& session) {
  const LoadedModel& model = session.model(config.model);
  const DatasetContext context = stand_in(model);
  if (config.calibration && config.calibration->data.dataset->is_sampled()) {
    const CalibrationOptions& options = *config.calibration;
    choose_windows(options.data.dataset->load(context), options.length, options.samples,
                   options.seed);
  }
  for (const EvaluationEntry& entry : config.evaluations) {
    if (!entry.data.dataset || !entry.data.dataset->is_sampled()) continue;
    const Corpus corpus = entry.data.dataset->load(context);
    // The real text is prepared afterwards, in place of this one.
    entry.task->prepare({.corpus = &corpus,
                         .text = &context,
                         .max_context = model.checkpoint->config().max_positions});
  }
}

}  // namespace wkvq
