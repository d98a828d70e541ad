#pragma once

#include <variant>

#include "core/cache/kv_cache.h"
#include "core/cache/packed_cache.h"
#include "core/cache/storage.h"

namespace wkvq {

/// The cache of one block: both step alike and can say what they hold.
using BlockCache = std::variant<KvCache, PackedCache>;

/// The cache of block `layer` under `view`. Packed storage keeps a cache that nothing is quantized
/// in (16 bits, or mode none) as it is. Throws ConfigError where a codec or view cannot be packed.
BlockCache make_block_cache(const KvCodec& codec, const KvViewOptions& view, Storage storage,
                            int64_t layer);

/// step() of whichever it is.
at::Tensor step(BlockCache& cache, const AttentionInputs& in);
void step(BlockCache& cache, const TokenStep& in, Team& team);

/// Throws ConfigError where keys and values of `kv`, which a model of `head_dim` stores under
/// `view`, cannot be packed.
void check_packable(const KvOptions& kv, const KvViewOptions& view, int64_t head_dim);

}  // namespace wkvq
