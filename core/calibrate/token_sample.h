#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace wkvq {

/// A share of the tokens of calibration text, evenly spaced over all windows: enough for what is
/// fitted to it, few enough to be held for every block.
class TokenSample {
 public:
  /// `batches` of hidden states or tokens, [windows, seq, ...]; at most `limit` tokens.
  TokenSample(const std::vector<at::Tensor>& batches, int64_t limit);

  /// The tokens of batch `i` that belong to it, of `x` [windows, heads, seq, head_dim]: [tokens,
  /// heads, head_dim].
  at::Tensor take(size_t i, const at::Tensor& x) const;
  /// The place in its window of every token of all batches.
  const at::Tensor& positions() const { return positions_; }

 private:
  std::vector<at::Tensor> index_;  ///< by batch: rows of [windows * seq]
  at::Tensor positions_;
};

}  // namespace wkvq
