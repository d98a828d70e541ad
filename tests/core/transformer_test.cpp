#include "core/model/transformer.h"

#include "core/model/fused_ops.h"
#include "core/model/model_source.h"
#include "tests/support/catch.h"
#include "tests/support/naive_attention.h"
#include "tests/support/tensors.h"

namespace wkvq {
namespace {

using test::largest_difference;

at::Tensor random(at::IntArrayRef shape, at::ScalarType dtype, int64_t seed) {
  at::Generator generator = at::detail::createCPUGenerator(static_cast<uint64_t>(seed));
  return at::randn(shape, generator, at::device(at::kCPU).dtype(at::kDouble)).to(dtype);
}

}  // namespace

TEST_CASE("rms_norm by hand") {
  // Mean square of (3, 4) is 12.5.
  const at::Tensor x = at::tensor({3.0, 4.0}, at::kDouble).view({1, 2});
  const at::Tensor y = rms_norm(x, at::tensor({1.0, 2.0}, at::kDouble), 0.0);
  CHECK(y[0][0].item<double>() == Approx(3 / std::sqrt(12.5)));
  CHECK(y[0][1].item<double>() == Approx(8 / std::sqrt(12.5)));
}

TEST_CASE("rotation pairs channel i with i + head_dim / 2") {
  ModelConfig config;
  config.head_dim = 4;
  const Rope rope(config, at::kDouble, at::kCPU);
  const at::Tensor x = at::tensor({1.0, 2.0, 3.0, 4.0}, at::kDouble).view({1, 1, 1, 4});
  const at::Tensor y = rope.apply(x, 5).view({4});
  // Frequencies 1 and 10000^(-1/2) = 0.01, position 5.
  CHECK(y[0].item<double>() == Approx(1 * std::cos(5.0) - 3 * std::sin(5.0)));
  CHECK(y[2].item<double>() == Approx(3 * std::cos(5.0) + 1 * std::sin(5.0)));
  CHECK(y[1].item<double>() == Approx(2 * std::cos(0.05) - 4 * std::sin(0.05)));
  CHECK(y[3].item<double>() == Approx(4 * std::cos(0.05) + 2 * std::sin(0.05)));
  CHECK(at::equal(rope.apply(x, 0), x));
}

TEST_CASE("dynamic scaling starts above the original positions and may shrink again") {
  ModelConfig config;
  config.head_dim = 8;
  config.rope.scaling = RopeScaling::kDynamic;
  config.rope.factor = 2.0;
  config.rope.original_max_positions = 16;
  const Rope rope(config, at::kDouble, at::kCPU);
  const at::Tensor before = rope.table(0, 16).cos.clone();
  CHECK(!at::allclose(rope.table(0, 20).cos.narrow(0, 0, 16), before));
  CHECK(at::equal(rope.table(0, 16).cos, before));
  CHECK(at::equal(rope.table(15, 5).cos, rope.table(0, 20).cos.narrow(0, 15, 5)));
}

/// The formulas as plain tensor operations, whose gradients libtorch knows.
at::Tensor plain_rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  return weight * x * at::rsqrt(x.square().mean(-1, true) + eps);
}

at::Tensor plain_rotation(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const auto halves = x.chunk(2, -1);
  return at::cat({halves[0] * cos - halves[1] * sin, halves[1] * cos + halves[0] * sin}, -1);
}

TEST_CASE("fused loops equal plain tensor operations, forward and backward") {
  const at::ScalarType dtype = GENERATE(at::kFloat, at::kDouble);
  // A few units in the last place of sums of 38 values below 10.
  const double tolerance = dtype == at::kFloat ? 3e-5 : 1e-13;
  const at::Tensor x = random({2, 3, 5, 38}, dtype, 1), weight = random({38}, dtype, 2);
  const at::Tensor slope = random({2, 3, 5, 38}, dtype, 3), angles = random({5, 19}, dtype, 4);
  const auto leaf = [](const at::Tensor& y) { return y.detach().clone().requires_grad_(true); };
  const at::Tensor a = leaf(x), b = leaf(x), scale_a = leaf(weight), scale_b = leaf(weight);
  const at::Tensor normed = rms_norm(a, scale_a, 1e-5), plain = plain_rms_norm(b, scale_b, 1e-5);
  CHECK(largest_difference(normed, plain) < tolerance);
  CHECK(at::equal(normed, rms_norm(x, weight, 1e-5)));
  (normed * slope).sum().backward();
  (plain * slope).sum().backward();
  CHECK(largest_difference(a.grad(), b.grad()) < tolerance);
  CHECK(largest_difference(scale_a.grad(), scale_b.grad()) < 3 * tolerance);

  const at::Tensor c = leaf(x), d = leaf(x);
  const at::Tensor turned = rotate_pairs(c, angles.cos(), angles.sin());
  CHECK(largest_difference(turned, plain_rotation(d, angles.cos(), angles.sin())) < tolerance);
  (turned * slope).sum().backward();
  (plain_rotation(d, angles.cos(), angles.sin()) * slope).sum().backward();
  CHECK(largest_difference(c.grad(), d.grad()) < tolerance);

  const at::Tensor strided = x.transpose(1, 2), rotation = random({3, 19}, dtype, 5);
  CHECK(largest_difference(rotate_pairs(strided, rotation.cos(), rotation.sin()),
                           plain_rotation(strided, rotation.cos(), rotation.sin())) < tolerance);
  CHECK(largest_difference(silu_times(x.clone(), x), silu_times(a, a)) < tolerance);
}

TEST_CASE("a block keeps its input, and gradients flow through it") {
  ModelSource source(std::make_shared<const Checkpoint>(test::source("tests/golden/models/qwen3")),
                     {.dtype = at::kDouble});
  const BlockWeights weights = source.block(0);
  const at::Tensor hidden = random({2, 6, 32}, at::kDouble, 5);
  const at::Tensor kept = hidden.clone();
  const auto run = [&](const at::Tensor& input) {
    return forward_block(source.config(), 0, weights, source.rope(), input, 0,
                         test::naive_attention);
  };
  const at::Tensor plain = run(hidden);
  CHECK(at::equal(hidden, kept));
  const at::Tensor leaf = hidden.clone().requires_grad_(true);
  const at::Tensor out = run(leaf);
  CHECK(largest_difference(out, plain) < 1e-12);
  out.sum().backward();
  // Central difference in one coordinate; the step's own error is of order 1e-8.
  const double step = 1e-5;
  at::Tensor up = hidden.clone(), down = hidden.clone();
  up[0][2][7] += step;
  down[0][2][7] -= step;
  const double slope = (run(up).sum() - run(down).sum()).item<double>() / (2 * step);
  CHECK(leaf.grad()[0][2][7].item<double>() == Approx(slope).epsilon(1e-6));
}

TEST_CASE("half types round where Hugging Face does") {
  const at::Tensor x = random({3, 32}, at::kBFloat16, 6), weight = random({32}, at::kBFloat16, 7);
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor normed = (wide * at::rsqrt(wide.pow(2).mean(-1, true) + 1e-5)).to(at::kBFloat16);
  CHECK(at::equal(rms_norm(x, weight, 1e-5), weight * normed));
}

}  // namespace wkvq
