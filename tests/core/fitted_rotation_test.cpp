#include "core/calibrate/fitted_rotation.h"

#include "core/device/torch_headers.h"
#include "core/number/hadamard.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

at::Tensor covariance(int64_t heads, int64_t n) {
  const at::Tensor x =
      at::randn({heads, 3 * n, n}, at::kDouble) * at::arange(1, n + 1, at::kDouble).pow(2);
  return at::matmul(x.transpose(1, 2), x);
}

double largest(const at::Tensor& x) {
  return x.abs().max().item<double>();
}

}  // namespace

TEST_CASE("fitted rotation: orthonormal, and every channel gets the same mean square") {
  at::manual_seed(8);
  for (const int64_t n : {2, 8, 64, 12}) {
    const at::Tensor c = covariance(3, n), r = spreading_rotation(c);
    INFO(n << " channels");
    REQUIRE(r.sizes() == c.sizes());
    const at::Tensor identity = at::matmul(r.transpose(1, 2), r) - at::eye(n, at::kDouble);
    REQUIRE(largest(identity) < 1e-13);
    const at::Tensor squares = at::matmul(at::matmul(r.transpose(1, 2), c), r).diagonal(0, 1, 2);
    const at::Tensor mean = c.diagonal(0, 1, 2).mean(-1, true);
    // Of 12 channels each part of 4 has the mean of its own eigenvalues.
    if (is_power_of_two(n)) REQUIRE(largest(squares / mean - 1) < 1e-12);
    if (n == 12) REQUIRE(largest(squares.narrow(1, 0, 4) / squares.narrow(1, 0, 1) - 1) < 1e-12);
  }
}

TEST_CASE("fitted rotation: two channels by hand") {
  // Eigenvectors of [[5, 4], [4, 5]] are (1, 1) and (1, -1) over the root of 2, eigenvalues 9 and 1;
  // with the Hadamard matrix behind them each channel gets 5 again.
  const at::Tensor c = at::tensor({5.0, 4.0, 4.0, 5.0}, at::kDouble).view({1, 2, 2});
  const at::Tensor r = spreading_rotation(c)[0];
  // Up to the signs of eigenvectors U H is a permutation with signs.
  REQUIRE(largest(r.abs().sum(0) - 1) < 1e-14);
  REQUIRE(largest(r.square().sum(1) - 1) < 1e-14);
}
