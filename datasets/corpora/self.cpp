#include "datasets/corpora/self.h"

#include "core/base/error.h"
#include "core/base/options/option_limits.h"
#include "datasets/corpora/corpus.h"

namespace wkvq {

namespace {

// The sampler decides whether a window opens with BOS; what it did is told, not assumed.
std::string opening(const DatasetContext& context, const Corpus& corpus) {
  const int64_t bos = context.tokenizer ? context.tokenizer->bos_token() : -1;
  for (const auto& window : corpus.windows) {
    if (bos < 0 || window.front() != bos) return "no BOS per window";
  }
  return "BOS at the start of every window";
}

}  // namespace

void SelfDataset::visit(OptionVisitor& v) {
  v("samples", samples_, "windows to sample");
  v("length", length_, "tokens of a window");
  v("seed", seed_, "seed of the sampling");
  if (samples_ < 1) v.reject("samples", "expected 1 or more");
  if (length_ < 2) v.reject("length", "expected 2 or more");
  check_at_most(v, "samples", samples_, kMostSamples);
  check_at_most(v, "length", length_, kMostTokens);
  check_tokens_in_all(v, "samples", samples_, length_);
}

std::string SelfDataset::summary() const {
  return "text sampled from the full-precision model itself";
}

std::string SelfDataset::label() const {
  return "self";
}

Corpus SelfDataset::load(const DatasetContext& context) const {
  if (!context.sample_self) config_error("dataset self: no model to sample from");
  Corpus corpus;
  corpus.windows = context.sample_self(samples_, length_, seed_);
  if (static_cast<int64_t>(corpus.windows.size()) != samples_) {
    config_error("dataset self: {} samples given, {} expected", corpus.windows.size(), samples_);
  }
  for (const auto& window : corpus.windows) {
    if (static_cast<int64_t>(window.size()) == length_) continue;
    config_error("dataset self: a sample of {} tokens, {} expected", window.size(), length_);
  }
  corpus.convention = fmt::format(
      "sampled from the full-precision model {} (temperature 1, seed {}), {} windows of {} tokens, "
      "{}; mean NLL minus that of full precision estimates KL(full precision || quantized)",
      context.model_name, seed_, samples_, length_, opening(context, corpus));
  return finish_corpus(std::move(corpus), context, "dataset self");
}

}  // namespace wkvq
