#pragma once

#include <cstring>

#include "core/base/checkpoint/safetensors.h"
#include "core/device/torch_headers.h"
#include "tests/support/catch.h"

namespace wkvq::test {

/// A tensor of a committed golden file.
inline at::Tensor golden(const SafetensorsFile& file, const std::string& name,
                         at::ScalarType type) {
  const TensorEntry& entry = file.at(name);
  at::Tensor values = at::empty(entry.shape, at::device(at::kCPU).dtype(type));
  REQUIRE(values.nbytes() == entry.bytes);
  std::memcpy(values.data_ptr(), entry.data, entry.bytes);
  return values;
}

inline double largest_difference(const at::Tensor& left, const at::Tensor& right) {
  return (left.to(at::kDouble) - right.to(at::kDouble)).abs().max().item<double>();
}

}  // namespace wkvq::test
