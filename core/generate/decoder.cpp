#include "core/generate/decoder.h"

#include <fmt/format.h>

#include <random>

#include "core/device/finite.h"
#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

// Sequences sampled side by side: wide enough to use matrix products, small enough for the cache.
constexpr int64_t kSamplingBatch = 32;

/// Uniform in [0, 1) from the top 53 bits: equal on every platform, unlike
/// std::uniform_real_distribution.
double uniform(std::mt19937_64& generator) {
  return static_cast<double>(generator() >> 11) * 0x1.0p-53;
}

/// Inverse-transform sampling of one token a row of probabilities. NotFiniteError where a row holds
/// none, `position` being where the tokens would stand.
std::vector<int64_t> draw(const at::Tensor& logits, int64_t position, std::mt19937_64& generator) {
  const at::Tensor cumulative =
      at::softmax(logits.to(at::kCPU, at::kDouble), -1).cumsum(-1).contiguous();
  if (!all_finite(cumulative))
    throw NotFiniteError(model_not_finite(
        logits.scalar_type(), fmt::format("logits, sampling of text, position {}", position)));
  const int64_t vocab = cumulative.size(-1);
  std::vector<int64_t> tokens;
  for (int64_t row = 0; row < cumulative.size(0); ++row) {
    const double* begin = cumulative.const_data_ptr<double>() + row * vocab;
    const double* found =
        std::upper_bound(begin, begin + vocab, uniform(generator) * begin[vocab - 1]);
    tokens.push_back(std::min<int64_t>(found - begin, vocab - 1));
  }
  return tokens;
}

}  // namespace

Decoder::Decoder(ModelSource& source, std::vector<QuantizedBlock> blocks, const KvViewOptions& view,
                 Storage cache)
    : source_(source), blocks_(std::move(blocks)) {
  for (size_t i = 0; i < blocks_.size(); ++i)
    caches_.push_back(make_block_cache(blocks_[i].codec, view, cache, static_cast<int64_t>(i)));
}

at::Tensor Decoder::step(const at::Tensor& tokens) {
  const at::NoGradGuard no_grad;
  at::Tensor hidden = source_.embed(tokens);
  left_.clear();
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const AttentionFunction attention = [&cache = caches_[i]](const AttentionInputs& in) {
      return wkvq::step(cache, in);
    };
    hidden = forward_block(source_.config(), static_cast<int64_t>(i), blocks_[i].weights,
                           source_.rope(), hidden, position_, attention);
    left_.push_back(hidden);
  }
  position_ += tokens.size(1);
  return hidden;
}

std::optional<Decoder::NotFinite> Decoder::not_finite() const {
  // What is not finite stays so in the residual stream: the last block tells of all.
  if (left_.empty() || all_finite(left_.back())) return std::nullopt;
  for (size_t i = 0; i < left_.size(); ++i)
    if (const auto place = not_finite_hidden(left_[i]))
      return NotFinite{static_cast<int64_t>(i), *place};
  return std::nullopt;
}

std::vector<QuantizedBlock> full_precision_blocks(ModelSource& source) {
  std::vector<QuantizedBlock> blocks;
  for (int64_t layer = 0; layer < source.config().layers; ++layer)
    blocks.push_back({source.block(layer), {}});
  return blocks;
}

std::vector<std::vector<int32_t>> sample_text(ModelSource& source, const SampleOptions& options) {
  const Head head = source.head();
  std::mt19937_64 generator(static_cast<uint64_t>(options.seed));
  const auto start = static_cast<int32_t>(options.start_token);
  std::vector<std::vector<int32_t>> texts(static_cast<size_t>(options.count), {start});
  for (int64_t first = 0; first < options.count; first += kSamplingBatch) {
    const int64_t batch = std::min(kSamplingBatch, options.count - first);
    Decoder decoder(source, full_precision_blocks(source), {.mode = ViewMode::kNone});
    at::Tensor tokens = at::full({batch, 1}, options.start_token, at::kLong);
    for (int64_t t = 1; t < options.length; ++t) {
      const std::vector<int64_t> drawn =
          draw(head.logits(decoder.step(tokens)).select(1, 0), t, generator);
      for (int64_t i = 0; i < batch; ++i)
        texts[static_cast<size_t>(first + i)].push_back(
            static_cast<int32_t>(drawn[static_cast<size_t>(i)]));
      tokens = at::tensor(drawn, at::kLong).unsqueeze(1);
      if (options.on_tokens) options.on_tokens(first * (options.length - 1) + batch * t);
    }
  }
  return texts;
}

}  // namespace wkvq
