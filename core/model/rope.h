#pragma once

#include <ATen/ATen.h>

#include <mutex>
#include <utility>

#include "core/base/checkpoint/model_config.h"

namespace wkvq {

/// Where the tokens of a tensor stand in their sequences.
struct Positions {
  Positions(int64_t first_token = 0) : first(first_token) {}
  explicit Positions(at::Tensor of_each) : each(std::move(of_each)) {}

  int64_t first = 0;  ///< consecutive from here
  at::Tensor each;    ///< [seq] int64, instead of `first`; undefined where consecutive
};

/// Rotary position embedding; channel i of a head pairs with i + head_dim / 2:
///   y_i = x_i cos(t f_i) - x_{i+d/2} sin(t f_i),  y_{i+d/2} = x_{i+d/2} cos(t f_i) + x_i sin(t
///   f_i)
/// Frequencies and angles are computed in float64 for float64 tensors, else in float32 and then
/// rounded to the tensors' dtype. With dynamic scaling the frequencies depend on the number of
/// positions in use, first_position + seq.
class Rope {
 public:
  Rope(const ModelConfig& config, at::ScalarType dtype, at::Device device);

  struct Table {
    at::Tensor cos, sin;  ///< [seq, head_dim / 2]
  };
  /// Of the positions first_position ... first_position + seq - 1. May be called from any thread.
  Table table(int64_t first_position, int64_t seq) const;

  /// Rotates `x` [batch, heads, seq, head_dim] (any strides) into a new tensor.
  at::Tensor apply(const at::Tensor& x, const Positions& positions) const;

  /// False where the frequencies of a token depend on how many tokens there are (dynamic scaling).
  bool fixed_frequencies() const { return config_.scaling != RopeScaling::kDynamic; }

 private:
  Table build(int64_t length) const;

  RopeConfig config_;
  int64_t head_dim_;
  at::ScalarType dtype_;
  at::Device device_;
  mutable std::mutex mutex_;
  mutable Table cached_;  ///< of positions 0 ... cached_length_ - 1
  mutable int64_t cached_length_ = 0;
};

}  // namespace wkvq
