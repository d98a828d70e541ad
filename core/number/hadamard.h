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

/// The same of each part of the last dimension, as long as the largest power of two that divides it:
/// hadamard(x) where it is one.
at::Tensor hadamard_parts(const at::Tensor& x);

/// Fixed random signs of n channels, +-1 in the dtype of `x` and on its device: that of channel i is
/// the top bit of splitmix64's output i + 1 from seed 0.
at::Tensor fixed_signs(int64_t n, const at::Tensor& x);

}  // namespace wkvq
