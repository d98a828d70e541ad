#pragma once

#include <vector>

#include "core/cache/block_cache.h"
#include "experiments/config/run_config.h"

namespace wkvq {

/// Throws ConfigError where what `config` quantizes cannot be packed under `view`: device, dtype,
/// weights, keys or values of any block.
void check_packed_storage(const RunConfig& config, const KvViewOptions& view,
                          const ModelConfig& model);

/// Bytes of weights: blocks at the method's stored bits, the rest of a block and the head (norm
/// and table) in the compute dtype. The embedding is read from its file row by row.
double weight_formula_bytes(const RunConfig& config, const ModelConfig& model);

/// Bytes of the caches of a sequence: codes at the method's stored bits, other tokens in the
/// compute dtype; all tokens in it; and what the process holds.
struct CacheBytes {
  double stored = 0, exact = 0, held = 0;
};
CacheBytes cache_bytes(const RunConfig& config, const ModelConfig& model,
                       const std::vector<BlockCache>& caches);

}  // namespace wkvq
