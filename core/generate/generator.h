#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/cache/block_cache.h"
#include "core/calibrate/method.h"
#include "core/generate/sampling.h"
#include "core/generate/token_head.h"
#include "core/generate/token_pass.h"
#include "core/model/model_source.h"

namespace wkvq {

/// One sequence to continue.
struct Prompt {
  std::vector<int32_t> tokens;  ///< at least one
  /// How many of them attend in full precision before anything is stored quantized (mode past).
  int64_t prefill = 0;
  int64_t max_tokens = 0;  ///< the most that are written
  int64_t sequence = 0;    ///< numbers its random draws, see Sampler
  /// Where not empty, what is written whatever the logits say; max_tokens long.
  std::vector<int32_t> forced = {};
};

/// A token as it is written.
struct WrittenToken {
  size_t prompt = 0;  ///< index of the prompt that it continues
  int32_t token = 0;
  const std::vector<double>* logits = nullptr;  ///< it was chosen from; only while it is told

  /// Natural log, given all before it, at temperature 1.
  double log_probability() const;
};

struct GenerationOptions {
  SamplingOptions sampling;
  /// Writing one of these ends a sequence; it is not part of the result.
  std::vector<int64_t> end_tokens;
  /// Told every token; false ends that sequence, the token included. May be empty.
  std::function<bool(const WrittenToken&)> on_token;
  /// Told the hidden state [hidden] that each token of `prompt` is chosen from; may be empty.
  std::function<void(size_t prompt, const at::Tensor& hidden)> on_hidden = {};
};

/// Writes text through the real caches. Every sequence has its own cache a block, so that no
/// group crosses a sequence, and its own positions; the linears work on all sequences of a step
/// together, without padding. A prefill goes in at once, all other tokens one a step: up to
/// TokenPass::kMostRows sequences over plain memory where TokenPass knows the blocks, others through
/// tensors.
class Generator {
 public:
  /// One block a layer, as run_blocks leaves them: simulated or packed. Of `view` the prefill is
  /// that of each prompt.
  Generator(ModelSource& source, std::vector<QuantizedBlock> blocks, const KvViewOptions& view,
            Storage cache = Storage::kSimulated);

  /// What is written after each of `prompts`, which go through the model together.
  std::vector<std::vector<int32_t>> generate(const std::vector<Prompt>& prompts,
                                             const GenerationOptions& options);

  /// Bytes of the weights that every step reads: blocks and head.
  int64_t weight_bytes() const;

  /// Why tokens go through tensors, see TokenPass::unsupported; empty where they do not.
  const std::string& unsupported() const { return unsupported_; }

  /// The caches of prompt `prompt` of the last generate(), one a block.
  const std::vector<BlockCache>& caches(size_t prompt) const { return rows_[prompt].caches; }

 private:
  /// A sequence on its way.
  struct Row {
    const Prompt* prompt = nullptr;
    size_t index = 0;
    std::vector<BlockCache> caches;
    std::vector<int32_t> written;
    int64_t position = 0;  ///< tokens in the caches
    bool done = false;

    /// The next token in, of the prompt or written.
    int64_t next() const;
    /// Whether the logits of the tokens that are in choose a token.
    bool chooses() const { return position >= static_cast<int64_t>(prompt->tokens.size()); }
  };
  Row start(const Prompt& prompt, size_t index) const;
  /// The hidden state [1, hidden] that leaves the last block after the prompt's prefill.
  at::Tensor prefill(Row& row);
  /// The hidden states [rows, hidden] after each row's next token.
  at::Tensor step(const std::vector<Row*>& rows);
  /// One step of `rows`, and a token for those whose prompt is in.
  void advance(const std::vector<Row*>& rows, const GenerationOptions& options,
               std::vector<Sampler>& samplers);
  /// Chooses a token for every row from the hidden states [rows, hidden], or takes the forced one.
  void choose(const std::vector<Row*>& rows, const at::Tensor& hidden,
              const GenerationOptions& options, std::vector<Sampler>& samplers);
  void choose_by_logits(const std::vector<Row*>& rows, const at::Tensor& hidden,
                        const GenerationOptions& options, std::vector<Sampler>& samplers);

  /// The same two over plain memory.
  at::Tensor plain_step(const std::vector<Row*>& rows);
  std::vector<std::vector<double>> logits(const at::Tensor& hidden);

  ModelSource& source_;
  std::vector<QuantizedBlock> blocks_;
  std::string unsupported_;
  Team team_;
  // Of the two heads the one that is needed, and a pass where the blocks are known to it.
  std::optional<Head> head_;
  std::optional<TokenHead> token_head_;
  std::unique_ptr<TokenPass> pass_;
  KvViewOptions view_;
  Storage cache_;
  std::vector<Row> rows_;
};

}  // namespace wkvq
