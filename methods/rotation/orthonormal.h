#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace wkvq {

/// An orthonormal matrix R of n channels that spreads outliers: n = m 2^k with m odd,
///   R = D (O (x) H), H Sylvester's Hadamard matrix / sqrt(2^k),
/// O a seeded random orthonormal matrix [m, m] (1 for powers of two) and D seeded random signs.
/// Never stored as a matrix; acts on row vectors.
class Orthonormal {
 public:
  enum class Signs { kRandom, kNone };  ///< kNone: D = I

  Orthonormal() = default;  ///< the identity
  Orthonormal(int64_t channels, int64_t seed, Signs signs);

  bool identity() const { return !mixing_.defined(); }
  /// x R over the last dimension, whose length is a multiple of `channels`: each run of `channels`
  /// (a head, say) is rotated by itself. Computed in the dtype of `x`.
  at::Tensor apply(const at::Tensor& x) const;
  /// x R^T, likewise.
  at::Tensor undo(const at::Tensor& x) const;

 private:
  at::Tensor signs_;   // [m, 2^k], float64
  at::Tensor mixing_;  // [m, m], float64
};

}  // namespace wkvq
