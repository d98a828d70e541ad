#include "core/cache/block_cache.h"

#include <fmt/format.h>

#include "core/device/torch_headers.h"

namespace wkvq {

BlockCache make_block_cache(const KvCodec& codec, const KvViewOptions& view, Storage storage,
                            int64_t layer) {
  if (storage == Storage::kSimulated || codec.identity() || view.mode == ViewMode::kNone)
    return KvCache(codec, view);
  return PackedCache(codec, view, fmt::format("block {}", layer));
}

at::Tensor step(BlockCache& cache, const AttentionInputs& in) {
  return std::visit([&](auto& one) { return one.step(in); }, cache);
}

void step(BlockCache& cache, const TokenStep& in, Team& team) {
  std::visit([&](auto& one) { one.step(in, team); }, cache);
}

void check_packable(const KvOptions& kv, const KvViewOptions& view, int64_t head_dim) {
  if (kv.identity() || view.mode == ViewMode::kNone) return;
  check_packable("keys", kv.key, head_dim);
  check_packable("values", kv.value, head_dim);
  check_packable(view, kv.key);
}

}  // namespace wkvq
