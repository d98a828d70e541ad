#include <cmath>

#include "core/device/torch_headers.h"
#include "methods/hqq/hqq_rounding.h"
#include "tests/support/block_fixture.h"
#include "tests/support/catch.h"

using namespace wkvq;
using test::random_tensor;

namespace {

const QuantSpec kTwoBits{
    .bits = 2, .group_size = 6, .form = QuantForm::kMinimum, .range = QuantRange::kRaw};

/// Mean absolute error by group of `size` columns.
at::Tensor error_of(const at::Tensor& weight, const at::Tensor& rounded, int64_t size) {
  return (weight - rounded).abs().unflatten(1, {-1, size}).mean(-1);
}

}  // namespace

TEST_CASE("hqq: one round by hand") {
  // Steps of 1 from 0: the four 0.3 are read as 0. Their errors shrink by 0.3^-0.3 / 10, and the
  // mean of that over the six is where the group moves to.
  const at::Tensor weight = at::tensor({0.0, 0.3, 0.3, 0.3, 0.3, 3.0}, at::kDouble).view({1, 6});
  const double moved = 4 * std::pow(0.3, -0.3) / 10 / 6;
  const at::Tensor codes = at::tensor({0.0, 0.0, 0.0, 0.0, 0.0, 3.0}, at::kDouble).view({1, 6});
  const RoundedWeight once = hqq_round(weight, kTwoBits, {.iterations = 1}, true);
  CHECK((once.weight - (codes + moved)).abs().max().item<double>() < 1e-15);
  CHECK(at::equal(decode(once.codes->encoded), once.weight));
  CHECK(at::equal(once.codes->encoded.groups.codes.to(at::kDouble), codes));
  CHECK(at::equal(hqq_round(weight, kTwoBits, {.iterations = 0}, false).weight, codes));
}

TEST_CASE("hqq: no group is worse than rounded to nearest, most are better, scales are kept") {
  const at::Tensor weight = random_tensor({16, 48}, 3) * random_tensor({16, 48}, 4).exp();
  for (const ScaleDtype dtype : {ScaleDtype::kCompute, ScaleDtype::kFloat16}) {
    QuantSpec spec = kTwoBits;
    spec.bits = 3;
    spec.group_size = 16;
    spec.scale_dtype = dtype;
    const at::Tensor nearest = fake_quantize(weight, spec);
    CHECK(at::equal(hqq_round(weight, spec, {.iterations = 0}, false).weight, nearest));
    const RoundedWeight moved = hqq_round(weight, spec, {}, true);
    const at::Tensor before = error_of(weight, nearest, 16);
    const at::Tensor after = error_of(weight, moved.weight, 16);
    CHECK((after <= before * (1 + 1e-12)).all().item<bool>());
    CHECK((after < before).to(at::kDouble).mean().item<double>() > 0.5);
    CHECK(at::equal(moved.codes->encoded.groups.scale, encode(weight, spec).groups.scale));
  }
}

TEST_CASE("hqq: groups that do not divide the width, and groups without range") {
  at::Tensor weight = random_tensor({4, 20}, 5);
  weight.select(0, 1).fill_(0.7);
  QuantSpec spec = kTwoBits;
  spec.group_size = 8;
  const RoundedWeight rounded = hqq_round(weight, spec, {}, false);
  CHECK(at::isfinite(rounded.weight).all().item<bool>());
  CHECK(at::equal(rounded.weight.select(0, 1), weight.select(0, 1)));
  // The last group, columns 16 to 19, is that of a weight of its own.
  spec.group_size = 4;
  const at::Tensor last = hqq_round(weight.narrow(1, 16, 4).contiguous(), spec, {}, false).weight;
  CHECK((last - rounded.weight.narrow(1, 16, 4)).abs().max().item<double>() < 1e-14);
}

TEST_CASE("hqq: forms without a real offset are refused, and bad options") {
  test::BlockFixture fixture("tests/golden/models/llama_gqa_head_dim");
  const auto check = [&](const std::string& weight) {
    test::method_of("{name: hqq, weight: " + weight + "}")->check(fixture.model().config());
  };
  REQUIRE_CONFIG_ERROR(check("{bits: 4, form: symmetric, range: zero_included}"),
                       "expected form: minimum");
  REQUIRE_CONFIG_ERROR(check("{bits: 4, form: zero_point}"), "expected form: minimum");
  check("{bits: 4, group_size: 16}");
  REQUIRE_CONFIG_ERROR(test::method_of("{name: hqq, p: 0}"), "expected more than 0");
  REQUIRE_CONFIG_ERROR(test::method_of("{name: hqq, kappa: 0.5}"), "expected 1 or more");
}
