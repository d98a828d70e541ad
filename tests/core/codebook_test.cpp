#include "core/number/codebook.h"

#include "core/device/torch_headers.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

double cost(const at::Tensor& x, const at::Tensor& weights, const at::Tensor& codebook) {
  const at::Tensor nearest = (x.unsqueeze(1) - codebook.unsqueeze(0)).square().amin(1);
  return (nearest * weights).sum().item<double>();
}

/// The least cost over all ways to cut the sorted values into `size` runs, tried one by one.
double least_cost(const at::Tensor& x, const at::Tensor& weights, int64_t size) {
  const auto [sorted, order] = x.sort();
  const at::Tensor w = weights.index_select(0, order);
  const int64_t n = x.numel();
  double best = std::numeric_limits<double>::infinity();
  for (int64_t cuts = 0; cuts < int64_t{1} << (n - 1); ++cuts) {
    if (__builtin_popcountll(static_cast<uint64_t>(cuts)) != size - 1) continue;
    double total = 0;
    for (int64_t begin = 0, i = 0; i < n; ++i) {
      if (i + 1 < n && !(cuts >> i & 1)) continue;
      const at::Tensor part = sorted.narrow(0, begin, i + 1 - begin);
      const at::Tensor share = w.narrow(0, begin, i + 1 - begin);
      const at::Tensor mean = (part * share).sum() / share.sum();
      total += ((part - mean).square() * share).sum().item<double>();
      begin = i + 1;
    }
    best = std::min(best, total);
  }
  return best;
}

}  // namespace

TEST_CASE("codebook: least squares among all partitions of small sets") {
  at::manual_seed(21);
  for (int repeat = 0; repeat < 12; ++repeat) {
    const at::Tensor x = at::randn({11}, at::kDouble);
    const at::Tensor weights = at::rand({11}, at::kDouble) + 0.01;
    for (const int64_t size : {2, 3, 4, 8}) {
      const at::Tensor found = fit_codebook(x, weights, size);
      REQUIRE((found.diff() >= 0).all().item<bool>());
      INFO(size << " values");
      // Sums of eleven terms of order 1 in float64.
      REQUIRE(cost(x, weights, found) == Approx(least_cost(x, weights, size)).margin(1e-12));
    }
  }
}

TEST_CASE("codebook: by hand, weights move a value") {
  const at::Tensor x = at::tensor({0.0, 1.0, 10.0, 12.0}, at::kDouble);
  REQUIRE(at::equal(fit_codebook(x, {}, 2), at::tensor({0.5, 11.0}, at::kDouble)));
  const at::Tensor weights = at::tensor({3.0, 1.0, 1.0, 3.0}, at::kDouble);
  REQUIRE(at::equal(fit_codebook(x, weights, 2), at::tensor({0.25, 11.5}, at::kDouble)));
  // A value that nothing depends on is not paid for; weights of 0 everywhere count as none.
  const at::Tensor without = at::tensor({1.0, 0.0, 1.0, 1.0}, at::kDouble);
  REQUIRE(at::equal(fit_codebook(x, without, 2), at::tensor({0.0, 11.0}, at::kDouble)));
  REQUIRE(at::equal(fit_codebook(x, at::zeros_like(x), 2), fit_codebook(x, {}, 2)));
}

TEST_CASE("codebook: as many values as asked for, or fewer, come back exactly") {
  at::manual_seed(22);
  const at::Tensor values = at::tensor({-1.0, -0.31, 0.07, 0.6}, at::kDouble);
  const at::Tensor x = values.index_select(0, at::randint(4, {5000}, at::kLong));
  // Means of equal numbers: rounding of sums of 5000 terms.
  REQUIRE((fit_codebook(x, {}, 4) - values).abs().max().item<double>() < 1e-12);
  const at::Tensor eight = fit_codebook(x, {}, 8);
  REQUIRE((eight.narrow(0, 0, 4) - values).abs().max().item<double>() < 1e-12);
  REQUIRE(at::equal(eight.narrow(0, 4, 4), eight.narrow(0, 3, 1).expand({4})));
}

TEST_CASE("codebook: merging many values into intervals costs next to nothing") {
  at::manual_seed(23);
  const at::Tensor x = at::randn({20000}, at::kDouble), ones = at::ones_like(x);
  const at::Tensor found = fit_codebook(x, {}, 16);
  const double fitted = cost(x, ones, found);
  // The optimal 16-level quantizer of a Gaussian has distortion 0.009497 (Max 1960); the sample's
  // own deviates by its sampling error, about 1 / sqrt(20000) of a few.
  REQUIRE(fitted / 20000 == Approx(0.009497).epsilon(0.05));
  // No small move of the codebook improves it by more than the width of an interval allows.
  for (int64_t i = 0; i < 16; ++i)
    for (const double move : {-0.01, 0.01}) {
      at::Tensor moved = found.clone();
      moved[i] += move;
      REQUIRE(cost(x, ones, moved) > fitted);
    }
}

TEST_CASE("codebook: q_norm gives values read back the mean and spread of those stored, by hand") {
  const at::Tensor x = at::tensor({-3.0, -1.0, 1.0, 3.0}, at::kDouble);
  const at::Tensor two = at::tensor({-2.0, 2.0}, at::kDouble);  // as fitted: spread 2, not sqrt(5)
  const double root = std::sqrt(5.0);
  const auto near = [](const at::Tensor& a, const at::Tensor& b) {
    return (a - b).abs().max().item<double>() < 1e-14;  // a few roundings of numbers below 10
  };
  REQUIRE(near(q_norm(two, x), at::tensor({-root, root}, at::kDouble)));
  REQUIRE(near(q_norm(two + 7, x + 7), at::tensor({7 - root, 7 + root}, at::kDouble)));
  // The nearest value is that of the fitted codebook: -0.9 goes up to 0, whatever 0 is read as.
  const at::Tensor three = at::tensor({-2.0, 0.0, 5.0}, at::kDouble);
  const at::Tensor y = at::tensor({-0.9, -0.9, 4.0, 8.0}, at::kDouble);  // nearest: 0, 0, 5, 5
  const double factor = y.std(false).item<double>() / 2.5;
  REQUIRE(near(q_norm(three, y), (three - 2.5) * factor + 2.55));
  // One value for all elements has no spread to stretch.
  REQUIRE(near(q_norm(at::tensor({1.0, 1.0}, at::kDouble), at::full({4}, 3.0, at::kDouble)),
               at::full({2}, 3.0, at::kDouble)));
}
