#include "core/number/hadamard.h"

#include <cmath>
#include <vector>

#include "core/device/torch_headers.h"
#include "core/number/fixed_random.h"

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

at::Tensor hadamard_parts(const at::Tensor& x) {
  const int64_t n = x.size(-1);
  return hadamard(x.unflatten(-1, {-1, n & -n})).flatten(-2);
}

at::Tensor fixed_signs(int64_t n, const at::Tensor& x) {
  std::vector<double> signs;
  FixedRandom random;
  for (int64_t i = 0; i < n; ++i) signs.push_back(random.next() >> 63 ? -1.0 : 1.0);
  return at::tensor(signs, at::kDouble).to(x.options());
}

}  // namespace wkvq
