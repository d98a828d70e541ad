#include "core/number/hadamard.h"

#include <cmath>

#include "core/device/torch_headers.h"

namespace wkvq {

at::Tensor hadamard(const at::Tensor& x) {
  const int64_t n = x.size(-1);
  TORCH_CHECK(is_power_of_two(n), "hadamard: got ", n, " channels; expected a power of two");
  at::Tensor y = x.reshape({-1, n});
  for (int64_t half = 1; half < n; half *= 2) {
    const at::Tensor pairs = y.view({-1, n / (2 * half), 2, half});
    const at::Tensor first = pairs.select(2, 0), second = pairs.select(2, 1);
    y = at::stack({first + second, first - second}, 2);
  }
  return y.view(x.sizes()) / std::sqrt(static_cast<double>(n));
}

}  // namespace wkvq
