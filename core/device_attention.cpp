#include "core/device_attention.h"

#include <cmath>

#include "core/device_stream.h"
#include "core/torch_headers.h"

namespace wkvq {

namespace {

DeviceRows rows_of(const at::Tensor& x) {
  if (!x.defined()) return {};
  return {x.const_data_ptr<float>(), x.stride(0), x.stride(1), x.stride(2)};
}

}  // namespace

bool has_device_attention(const at::Tensor& query) {
  return query.scalar_type() == at::kFloat && query.size(3) <= kMaxHeadDim;
}

at::Tensor attention_on_device(const at::Tensor& query, const KvPair& kv,
                               const AttentionBounds& bounds, const DeviceKernels& kernels) {
  const DeviceStream stream(query.device());
  const int64_t batch = query.size(0), heads = query.size(1), seq = query.size(2);
  // In the layout that the output projection reads.
  at::Tensor out = at::empty({batch, seq, heads, query.size(3)}, query.options());
  const auto there = [&](const std::vector<int64_t>& bound) {
    return stream.copy(bound.data(), bound.size());
  };
  const at::Tensor key = there(bounds.key), value = there(bounds.value),
                   lowest = there(bounds.lowest);
  kernels.attend_tiles(
      {.first = bounds.first,
       .seq = seq,
       .dim = query.size(3),
       .batch = batch,
       .heads = heads,
       .kv_heads = kv.key.size(1),
       .query = rows_of(query),
       .key = rows_of(kv.key),
       .value = rows_of(kv.value),
       .key_hat = rows_of(kv.key_hat),
       .value_hat = rows_of(kv.value_hat),
       .out = out.data_ptr<float>(),
       .key_bound = DeviceStream::items<int64_t>(key),
       .value_bound = DeviceStream::items<int64_t>(value),
       .lowest = DeviceStream::items<int64_t>(lowest),
       .scale = static_cast<float>(1 / std::sqrt(static_cast<double>(query.size(3))))},
      stream.handle());
  return out.transpose(1, 2);
}

}  // namespace wkvq
