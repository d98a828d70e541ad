#include "core/model/gguf_tensor.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "core/base/gguf/gguf_types.h"

namespace wkvq {
namespace {

constexpr int64_t kChunk = int64_t{1} << 22;  // elements decoded at a time

/// Decodes `count` blocks from block `first` of `entry` on, on all threads.
void decode(const TensorEntry& entry, const GgufType& type, int64_t first, int64_t count,
            float* out) {
  const auto* data = reinterpret_cast<const uint8_t*>(entry.data) + first * type.bytes;
  constexpr int64_t kGrain = 256;
  at::parallel_for(0, count, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) type.decode(data + i * type.bytes, out + i * type.block);
  });
}

}  // namespace

bool in_blocks(const TensorEntry& entry) {
  const GgufType* type = find_gguf_type(entry.dtype);
  return type && type->decode;
}

at::Tensor decode_blocks(const TensorEntry& entry, at::ScalarType dtype) {
  const GgufType& type = *find_gguf_type(entry.dtype);
  const at::TensorOptions cpu = at::device(at::kCPU);
  at::Tensor values = at::empty(entry.shape, cpu.dtype(dtype));
  const int64_t blocks = values.numel() / type.block;
  if (dtype == at::kFloat) {
    decode(entry, type, 0, blocks, values.data_ptr<float>());
    return values;
  }
  at::Tensor flat = values.view({-1});
  const int64_t step = kChunk / type.block;
  const at::Tensor chunk = at::empty({std::min(step, blocks) * type.block}, cpu.dtype(at::kFloat));
  for (int64_t first = 0; first < blocks; first += step) {
    const int64_t count = std::min(step, blocks - first);
    decode(entry, type, first, count, chunk.data_ptr<float>());
    flat.narrow(0, first * type.block, count * type.block)
        .copy_(chunk.narrow(0, 0, count * type.block));
  }
  return values;
}

at::Tensor decode_block_rows(const TensorEntry& entry, const at::Tensor& ids,
                             at::ScalarType dtype) {
  const GgufType& type = *find_gguf_type(entry.dtype);
  const int64_t columns = entry.shape.back();
  const int64_t blocks = columns / type.block;
  const at::Tensor rows = at::empty({ids.numel(), columns}, at::device(at::kCPU).dtype(at::kFloat));
  const int64_t* id = ids.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < ids.numel(); ++i) {
    decode(entry, type, id[i] * blocks, blocks, rows.data_ptr<float>() + i * columns);
  }
  return rows.to(dtype);
}

at::Tensor separate_pairs(const at::Tensor& values, int64_t head_dim) {
  return values.view({-1, head_dim / 2, 2, values.numel() / values.size(0)})
      .transpose(1, 2)
      .reshape(values.sizes());
}

}  // namespace wkvq
