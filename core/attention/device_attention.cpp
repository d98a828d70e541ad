#include "core/attention/device_attention.h"

#include <cmath>

#include "core/device/device_stream.h"
#include "core/device/torch_headers.h"
#include "core/kernels/device_kernels.h"
#include "core/kernels/device_problems.h"
#include "core/kernels/packed_layout.h"

namespace wkvq {

namespace {

DeviceRows rows_of(const at::Tensor& x, at::ScalarType dtype) {
  if (!x.defined()) return {};
  TORCH_CHECK(x.scalar_type() == dtype, "attention: got operands of ", x.scalar_type(), " and ",
              dtype, "; expected one type");
  return {x.const_data_ptr(), x.stride(0), x.stride(1), x.stride(2)};
}

bool is_half(const at::Tensor& x) {
  return x.scalar_type() == at::kHalf || x.scalar_type() == at::kBFloat16;
}

/// Half types: rows that begin at multiples of 16 bytes, if they are of as many.
at::Tensor aligned(const at::Tensor& x) {
  if (!x.defined() || !is_half(x)) return x;
  const auto fits = [](int64_t stride) { return stride % 8 == 0; };
  const bool begins = reinterpret_cast<uintptr_t>(x.const_data_ptr()) % 16 == 0;
  return begins && fits(x.stride(0)) && fits(x.stride(1)) && fits(x.stride(2))
             ? x
             : x.clone(at::MemoryFormat::Contiguous);
}

auto kernel_of(at::ScalarType dtype, const DeviceKernels& kernels) {
  return dtype == at::kHalf       ? kernels.attend_half
         : dtype == at::kBFloat16 ? kernels.attend_bfloat16
                                  : kernels.attend_tiles;
}

}  // namespace

bool has_device_attention(const at::Tensor& query) {
  const int64_t dim = query.size(3);
  return dim <= kMaxHeadDim &&
         (query.scalar_type() == at::kFloat || (is_half(query) && dim % 16 == 0));
}

at::Tensor attention_on_device(const at::Tensor& given, const KvPair& given_kv,
                               const AttentionBounds& bounds, const DeviceKernels& kernels) {
  const at::Tensor query = aligned(given);
  const KvPair kv{aligned(given_kv.key), aligned(given_kv.value), aligned(given_kv.key_hat),
                  aligned(given_kv.value_hat)};
  const DeviceStream stream(query.device());
  const int64_t batch = query.size(0), heads = query.size(1), seq = query.size(2);
  const auto rows = [&](const at::Tensor& x) { return rows_of(x, query.scalar_type()); };
  // In the layout that the output projection reads.
  at::Tensor out = at::empty({batch, seq, heads, query.size(3)}, query.options());
  const auto there = [&](const std::vector<int64_t>& bound) {
    return stream.copy(bound.data(), bound.size());
  };
  const at::Tensor key = there(bounds.key), value = there(bounds.value),
                   lowest = there(bounds.lowest);
  kernel_of(query.scalar_type(), kernels)(
      {.first = bounds.first,
       .seq = seq,
       .dim = query.size(3),
       .batch = batch,
       .heads = heads,
       .kv_heads = kv.key.size(1),
       .query = rows(query),
       .key = rows(kv.key),
       .value = rows(kv.value),
       .key_hat = rows(kv.key_hat),
       .value_hat = rows(kv.value_hat),
       .out = out.mutable_data_ptr(),
       .key_bound = DeviceStream::items<int64_t>(key),
       .value_bound = DeviceStream::items<int64_t>(value),
       .lowest = DeviceStream::items<int64_t>(lowest),
       .scale = static_cast<float>(1 / std::sqrt(static_cast<double>(query.size(3))))},
      stream.handle());
  return out.transpose(1, 2);
}

}  // namespace wkvq
