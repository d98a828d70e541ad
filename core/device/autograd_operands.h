#pragma once

#include <ATen/ATen.h>

namespace wkvq {

// torch::autograd::Function takes no undefined tensors; an empty one stands for them.

inline at::Tensor or_empty(const at::Tensor& x, const at::Tensor& like) {
  return x.defined() ? x : at::empty({0}, like.options());
}

inline at::Tensor or_undefined(const at::Tensor& x) {
  return x.numel() == 0 ? at::Tensor() : x;
}

}  // namespace wkvq
