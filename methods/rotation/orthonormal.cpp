#include "methods/rotation/orthonormal.h"

#include <Eigen/QR>
#include <cmath>
#include <numbers>
#include <random>
#include <span>

#include "core/device/torch_headers.h"
#include "core/number/hadamard.h"

namespace wkvq {

namespace {

// std::normal_distribution differs between standard libraries; mt19937_64 does not.
double normal(std::mt19937_64& engine) {
  const auto uniform = [&] { return (static_cast<double>(engine() >> 11) + 0.5) * 0x1p-53; };
  const double radius = std::sqrt(-2 * std::log(uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

/// The orthonormal factor of a matrix of normal numbers.
at::Tensor random_orthonormal(int64_t n, std::mt19937_64& engine) {
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Matrix numbers(n, n);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) numbers(i, j) = normal(engine);
  at::Tensor result = at::empty({n, n}, at::kDouble);
  Eigen::Map<Matrix>(result.mutable_data_ptr<double>(), n, n) =
      Eigen::HouseholderQR<Matrix>(numbers).householderQ();
  return result;
}

at::Tensor as(const at::Tensor& matrix, const at::Tensor& x) {
  return matrix.to(x.options());
}

}  // namespace

Orthonormal::Orthonormal(int64_t channels, int64_t seed, Signs signs) {
  const int64_t power = channels & -channels, odd = channels / power;
  std::mt19937_64 engine(static_cast<uint64_t>(seed));
  signs_ = at::ones({odd, power}, at::kDouble);
  if (signs == Signs::kRandom)
    for (double& sign : std::span(signs_.mutable_data_ptr<double>(), channels))
      sign = engine() >> 63 ? -1.0 : 1.0;
  mixing_ = odd == 1 ? at::ones({1, 1}, at::kDouble) : random_orthonormal(odd, engine);
}

at::Tensor Orthonormal::apply(const at::Tensor& x) const {
  if (identity()) return x;
  const at::Tensor parts = x.reshape({-1, signs_.size(0), signs_.size(1)}) * as(signs_, x);
  return at::matmul(as(mixing_.t(), x), hadamard(parts)).reshape(x.sizes());
}

at::Tensor Orthonormal::undo(const at::Tensor& x) const {
  if (identity()) return x;
  const at::Tensor parts = x.reshape({-1, signs_.size(0), signs_.size(1)});
  return (hadamard(at::matmul(as(mixing_, x), parts)) * as(signs_, x)).reshape(x.sizes());
}

}  // namespace wkvq
