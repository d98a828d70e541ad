#include "core/model/checkpoint.h"

#include <fmt/ranges.h>

#include <cmath>
#include <cstring>

#include "core/base/error.h"
#include "core/model/gguf_tensor.h"

namespace wkvq {
namespace {

at::ScalarType scalar_type(const TensorEntry& entry) {
  if (entry.dtype == "F64") return at::kDouble;
  if (entry.dtype == "F32") return at::kFloat;
  if (entry.dtype == "F16") return at::kHalf;
  if (entry.dtype == "BF16") return at::kBFloat16;
  config_error("tensor '{}' is {}; known: F64, F32, F16, BF16", entry.name, entry.dtype);
}

/// The mapped bytes as a tensor, without a copy where their alignment allows it.
at::Tensor view_of(const TensorEntry& entry) {
  const at::ScalarType type = scalar_type(entry);
  const bool aligned = reinterpret_cast<uintptr_t>(entry.data) % dtype_width(entry.dtype) == 0;
  if (aligned && entry.bytes > 0) {
    // The mapping is read-only, and so is every use of this view.
    return at::from_blob(const_cast<std::byte*>(entry.data), entry.shape,
                         at::device(at::kCPU).dtype(type));
  }
  at::Tensor copy = at::empty(entry.shape, at::device(at::kCPU).dtype(type));
  if (entry.bytes > 0) std::memcpy(copy.data_ptr(), entry.data, entry.bytes);
  return copy;
}

void check_finite(const at::Tensor& values, const StoredTensor& stored) {
  if (values.numel() == 0) return;
  const auto [least, most] = at::aminmax(values);
  if (std::isfinite(least.item<double>()) && std::isfinite(most.item<double>())) return;
  config_error("{}: tensor '{}' holds values that are not finite in {}",
               stored.file->path().string(), stored.entry->name,
               c10::toString(values.scalar_type()));
}

}  // namespace

Checkpoint::Checkpoint(const std::filesystem::path& path)
    : folder_(path), config_(read_model_config(path)), files_(path) {
  files_.settle_head(config_);
  files_.verify(config_);
}

at::Tensor Checkpoint::load(const std::string& name, const std::vector<int64_t>& expected_shape,
                            at::ScalarType dtype, at::Device device) const {
  const at::NoGradGuard no_grad;
  const StoredTensor& stored = files_.at(name);
  if (stored.entry->shape != expected_shape) {
    config_error("{}: tensor '{}' has shape [{}], expected [{}]", stored.file->path().string(),
                 stored.entry->name, fmt::join(stored.entry->shape, ", "),
                 fmt::join(expected_shape, ", "));
  }
  const bool blocks = in_blocks(*stored.entry);
  // Sent as stored and converted there: fewer bytes cross the bus.
  at::Tensor values = blocks ? decode_blocks(*stored.entry, dtype).to(device)
                             : view_of(*stored.entry).to(device).to(dtype);
  if (stored.paired_rows) values = separate_pairs(values, config_.head_dim);
  if (values.is_cpu() && values.data_ptr() == static_cast<const void*>(stored.entry->data)) {
    values = values.clone();
  }
  check_finite(values, stored);
  stored.file->release(*stored.entry);
  return values;
}

at::Tensor Checkpoint::load_rows(const std::string& name, const at::Tensor& ids,
                                 at::ScalarType dtype, at::Device device) const {
  const at::NoGradGuard no_grad;
  const StoredTensor& stored = files_.at(name);
  const at::Tensor flat = ids.to(at::kCPU, at::kLong).reshape({-1});
  const at::Tensor rows = in_blocks(*stored.entry)
                              ? decode_block_rows(*stored.entry, flat, dtype).to(device)
                              : view_of(*stored.entry).index_select(0, flat).to(device).to(dtype);
  check_finite(rows, stored);
  stored.file->release(*stored.entry);
  std::vector<int64_t> shape = ids.sizes().vec();
  shape.push_back(stored.entry->shape.back());
  return rows.view(shape);
}

}  // namespace wkvq
