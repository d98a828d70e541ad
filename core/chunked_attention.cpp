#include "core/chunked_attention.h"

#include <cmath>

#include "core/attention_chunks.h"
#include "core/torch_headers.h"

namespace wkvq {

at::Tensor chunked_attention(const at::Tensor& query, const KvPair& kv,
                             const AttentionBounds& bounds) {
  const int64_t kv_heads = kv.key.size(1), repeat = query.size(1) / kv_heads;
  const at::Tensor scaled = query * (1.0 / std::sqrt(static_cast<double>(query.size(3))));
  const std::vector<AttentionChunk> chunks = attention_chunks(bounds, query);
  const at::Tensor out = at::empty(query.sizes(), query.options());
  for (int64_t i = 0; i < query.size(0) * kv_heads; ++i) {
    const auto rows = [&](const at::Tensor& x) {
      return x.defined() ? x[i / kv_heads][i % kv_heads] : x;
    };
    for (const AttentionChunk& chunk : chunks) {
      const auto queries = [&](const at::Tensor& x) {
        return x[i / kv_heads]
            .narrow(0, i % kv_heads * repeat, repeat)
            .narrow(1, chunk.first, chunk.last - chunk.first);
      };
      const at::Tensor weights = chunk.weights(queries(scaled), rows(kv.key_hat), rows(kv.key));
      queries(out).copy_(chunk.values.gather(weights, rows(kv.value_hat), rows(kv.value)));
    }
  }
  return out;
}

}  // namespace wkvq
