#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/kv/kv_options.h"
#include "core/model/model_source.h"

namespace wkvq {

class CalibrationChain;

/// Tokens of the calibration text that codebooks are fitted to.
constexpr int64_t kCodebookTokens = 2048;

/// Squared gradients of one block's keys and values, float32, [tokens, kv_heads, head_dim] for the
/// TokenSample of kCodebookTokens.
struct KvGradients {
  at::Tensor key, value;
};

/// The diagonal of the empirical Fisher information that KVQuant weighs its codebooks with: for
/// every block of the full-precision model, the squared gradient of the calibration text's mean
/// next-token NLL with respect to keys (at `point`) and values. Forwards once through the chain,
/// whose states of all blocks exist meanwhile, then backwards block by block: each is computed
/// again, and hands on the gradient of its input.
std::vector<KvGradients> kv_gradients(ModelSource& source, CalibrationChain& chain, KeyPoint point);

}  // namespace wkvq
