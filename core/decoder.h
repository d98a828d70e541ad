#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/kv_cache.h"
#include "core/method.h"
#include "core/model_source.h"

namespace wkvq {

/// Runs a model token by token through one KvCache a block, as a deployed model does: the slow specification of the one-pass
/// views, and the engine of sampling.
class Decoder {
 public:
  /// One block a layer, as run_blocks leaves them.
  Decoder(ModelSource& source, std::vector<QuantizedBlock> blocks, const KvViewOptions& view);

  /// Hidden states [batch, n, hidden] leaving the last block for the next n tokens [batch, n] of every sequence; n > 1 only for a
  /// prompt of view.prefill tokens.
  at::Tensor step(const at::Tensor& tokens);

 private:
  ModelSource& source_;
  std::vector<QuantizedBlock> blocks_;
  std::vector<KvCache> caches_;
  int64_t position_ = 0;
};

/// The full-precision blocks of a model.
std::vector<QuantizedBlock> full_precision_blocks(ModelSource& source);

/// `count` sequences of `length` tokens sampled from the full-precision model at temperature 1, beginning with BOS (EOS where the
/// model has none, else token 0), which is not part of the result. The same seed gives the same tokens on the same machine.
std::vector<std::vector<int32_t>> sample_text(ModelSource& source, int64_t count, int64_t length,
                                              int64_t seed);

}  // namespace wkvq
