#include "core/device/tensors.h"

#include "core/device/torch_headers.h"

namespace wkvq {

at::Tensor widened(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? x : x.to(at::kFloat);
}

Array to_array(const at::Tensor& x) {
  const at::Tensor y = x.detach().to(at::kCPU, at::kDouble).contiguous();
  const double* data = y.const_data_ptr<double>();
  return {{y.sizes().begin(), y.sizes().end()}, {data, data + y.numel()}};
}

}  // namespace wkvq
