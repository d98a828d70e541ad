#pragma once

#include <ATen/ATen.h>

#include <cmath>

#include "core/model/transformer.h"

namespace wkvq::test {

/// Softmax attention written out with its causal and sliding-window mask; whole sequences only
/// (from position 0).
inline at::Tensor naive_attention(const AttentionInputs& inputs) {
  const int64_t repeat = inputs.query.size(1) / inputs.key.size(1);
  const int64_t seq = inputs.query.size(2);
  const at::Tensor key = inputs.key.repeat_interleave(repeat, 1);
  const at::Tensor value = inputs.value.repeat_interleave(repeat, 1);
  const at::Tensor position = at::arange(seq, inputs.query.options().dtype(at::kLong));
  const at::Tensor distance = position.unsqueeze(1) - position.unsqueeze(0);
  at::Tensor hidden = distance < 0;
  if (inputs.sliding_window > 0) hidden = hidden | (distance >= inputs.sliding_window);
  const double scale = 1.0 / std::sqrt(static_cast<double>(inputs.query.size(3)));
  const at::Tensor scores = at::matmul(inputs.query, key.transpose(2, 3)) * scale;
  const at::Tensor masked = scores.masked_fill(hidden, -std::numeric_limits<double>::infinity());
  return at::matmul(at::softmax(masked, -1), value);
}

}  // namespace wkvq::test
