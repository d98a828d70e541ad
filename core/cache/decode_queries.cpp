#include "core/cache/decode_queries.h"

#include <cmath>

#include "core/device/torch_headers.h"
#include "core/number/hadamard.h"

namespace wkvq {

DecodeQueries decode_queries(const at::Tensor& query, const PackedKv& past) {
  const PackedKv::Shape& shape = past.shape();
  DecodeQueries q;
  q.steps = query.size(2);
  q.rows = query.size(1) / shape.kv_heads * q.steps;
  q.plain = query.to(at::kFloat)
                .reshape({shape.batch, shape.kv_heads, q.rows, shape.head_dim})
                .div(std::sqrt(static_cast<double>(shape.head_dim)));
  const KvTensorCodec& key = past.codec().key;
  q.folded = key.scale().defined() ? q.plain * key.scale() : q.plain;
  if (key.options().rotate == KvRotation::kHadamard) q.folded = hadamard(q.folded);
  q.folded = q.folded.contiguous();
  q.offset = key.shift().defined() ? (q.plain * key.shift()).sum(-1).contiguous()
                                   : at::zeros(q.plain.sizes().slice(0, 3), q.plain.options());
  return q;
}

at::Tensor decode_output(at::Tensor packed, const at::Tensor& exact, const at::Tensor& share,
                         const PackedKv& past, int64_t steps) {
  const KvTensorCodec& value = past.codec().value;
  if (value.options().rotate == KvRotation::kHadamard) packed = hadamard(packed);
  if (value.scale().defined()) packed = packed * value.scale();
  if (value.shift().defined()) packed = packed + share * value.shift();
  return (packed + exact).view({exact.size(0), -1, steps, exact.size(3)});
}

}  // namespace wkvq
