#pragma once

#include <ATen/core/Tensor.h>

namespace wkvq {

constexpr bool is_power_of_two(int64_t n) {
  return n > 0 && (n & (n - 1)) == 0;
}

/// x H / sqrt(n) over the last dimension n, a power of two, with Sylvester's Hadamard matrix H:
/// orthonormal and symmetric, hence its own inverse. Every row is summed in the same order whatever
/// the shape of `x` is: a token alone gives the same bits as among others. Differentiable.
at::Tensor hadamard(const at::Tensor& x);

}  // namespace wkvq
