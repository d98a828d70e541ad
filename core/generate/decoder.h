#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <vector>

#include "core/cache/block_cache.h"
#include "core/calibrate/method.h"
#include "core/calibrate/stream_check.h"
#include "core/model/model_source.h"

namespace wkvq {

/// Runs a model token by token through one cache a block, as a deployed model does: the slow
/// specification of the one-pass views, and the engine of sampling.
class Decoder {
 public:
  /// One block a layer, as run_blocks leaves them: simulated or packed.
  Decoder(ModelSource& source, std::vector<QuantizedBlock> blocks, const KvViewOptions& view,
          Storage cache = Storage::kSimulated);

  /// Hidden states [batch, n, hidden] leaving the last block for the next n tokens [batch, n] of
  /// every sequence; n > 1 only for a prompt of view.prefill tokens.
  at::Tensor step(const at::Tensor& tokens);

  /// The first block that the last step left with states that are not finite, and where in these
  /// [batch, n, hidden].
  struct NotFinite {
    int64_t block;
    NotFinitePlace place;
  };
  std::optional<NotFinite> not_finite() const;

 private:
  ModelSource& source_;
  std::vector<QuantizedBlock> blocks_;
  std::vector<BlockCache> caches_;
  std::vector<at::Tensor> left_;  // hidden states that left each block in the last step
  int64_t position_ = 0;
};

/// The full-precision blocks of a model.
std::vector<QuantizedBlock> full_precision_blocks(ModelSource& source);

struct SampleOptions {
  int64_t count = 1;
  int64_t length = 512;  ///< tokens of a sequence, the start token included
  int64_t seed = 0;
  int64_t start_token = 0;
  /// Told the tokens sampled so far, of count * (length - 1); may be empty.
  std::function<void(int64_t done)> on_tokens = {};
};

/// Sequences sampled from the full-precision model at temperature 1; each begins with the start
/// token, so that the model's distribution of every later token given the sequence is the one it
/// was drawn from. The same seed gives the same tokens on the same machine.
std::vector<std::vector<int32_t>> sample_text(ModelSource& source, const SampleOptions& options);

}  // namespace wkvq
