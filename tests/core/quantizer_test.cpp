#include "core/number/quantizer.h"

#include "core/device/torch_headers.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

at::Tensor row(const std::vector<double>& values, at::ScalarType dtype = at::kDouble) {
  return at::tensor(values, at::kDouble).to(dtype).unsqueeze(0);
}

std::vector<double> values(const at::Tensor& x) {
  const at::Tensor y = x.to(at::kDouble).flatten().contiguous();
  return {y.const_data_ptr<double>(), y.const_data_ptr<double>() + y.numel()};
}

/// The forms written with ATen alone, one group a row: the independent reference of the kernel.
at::Tensor composite(const at::Tensor& x, const QuantSpec& spec, bool straight_through) {
  const double n = static_cast<double>(spec.max_code());
  const auto round = [&](const at::Tensor& t) {
    return straight_through ? t + (at::round(t) - t).detach() : at::round(t);
  };
  if (spec.form == QuantForm::kMean) {
    const at::Tensor mean = x.mean(-1, true);
    const at::Tensor s = (x - mean).abs().amax(-1, true) / n;
    return round((x - mean) / s) * s + mean;
  }
  at::Tensor low = x.amin(-1, true), high = x.amax(-1, true);
  if (spec.form == QuantForm::kSymmetric) {
    const at::Tensor s = at::maximum(high, -low) / n;
    return at::clamp(round(x / s), -n - 1, n) * s;
  }
  if (spec.range == QuantRange::kZeroIncluded) {
    low = at::clamp_max(low, 0);
    high = at::clamp_min(high, 0);
  }
  const at::Tensor s = (high - low) / n;
  if (spec.form == QuantForm::kMinimum) return at::clamp(round((x - low) / s), 0, n) * s + low;
  const at::Tensor z = at::round(-low / s).detach();
  return (at::clamp(round(x / s) + z, 0, n) - z) * s;
}

QuantSpec spec_of(int64_t bits, QuantForm form, QuantRange range = QuantRange::kRaw) {
  return {.bits = bits, .form = form, .range = range};
}

}  // namespace

TEST_CASE("quantizer: rounding is half to even") {
  // Scale 1 in form B (range 0..3, 2 bits): 0.5, 1.5, 2.5 -> 0, 2, 2.
  REQUIRE(values(fake_quantize(row({0, 0.5, 1.5, 2.5, 3}), spec_of(2, QuantForm::kMinimum))) ==
          std::vector<double>{0, 0, 2, 2, 3});
  // The same in form C: 3 bits have scale max / 3.
  REQUIRE(
      values(fake_quantize(row({0.5, 1.5, -0.5, -2.5, 3}), spec_of(3, QuantForm::kSymmetric))) ==
      std::vector<double>{0, 2, 0, -2, 3});
}

TEST_CASE("quantizer: full range by hand") {
  // 3 bits: s = 7 / 3.5 = 2; 7 / 2 rounds to 4, which is clipped to 3; -7 / 2 to -4.
  const QuantSpec spec = spec_of(3, QuantForm::kFullRange);
  CHECK(values(fake_quantize(row({7, -7, 2.9, -1.1}), spec)) == std::vector<double>{6, -8, 2, -2});
  CHECK(values(encode(row({7, -7, 2.9, -1.1}), spec).groups.codes) ==
        std::vector<double>{7, 0, 5, 3});
  // The step is the largest by 3.5; of 7 nothing passes, it is clipped to 3 steps.
  at::Tensor x = row({7, 2.9}).requires_grad_(true);
  fake_quantize(x, spec).backward(row({1, 1}));
  CHECK(values(x.grad())[0] == Approx((3 + (1 - 1.45)) / 3.5));
  CHECK(values(x.grad())[1] == 1);
}

TEST_CASE("quantizer: the mean form by hand") {
  // Mean 3, largest deviation 3: three steps of 1 on either side.
  const QuantSpec spec = spec_of(3, QuantForm::kMean);
  const at::Tensor x = row({1, 2.4, 2.6, 6});
  CHECK(values(fake_quantize(x, spec)) == std::vector<double>{1, 2, 3, 6});
  const Encoded encoded = encode(x, spec);
  CHECK(values(encoded.groups.codes) == std::vector<double>{1, 2, 3, 6});
  CHECK(values(encoded.groups.offset) == std::vector<double>{3});
  CHECK(at::equal(decode(encoded), fake_quantize(x, spec)));
  CHECK(values(fake_quantize(row({-2, -2}), spec)) == std::vector<double>{-2, -2});
  // It moves along with what it holds, and a scale and a mean are stored.
  CHECK(values(fake_quantize(x + 8, spec)) == std::vector<double>{9, 10, 11, 14});
  CHECK(spec.bits_per_value(64, 16) == 3 + 32.0 / 64);
  const GroupGrid grid = group_grid(x, spec);
  CHECK(at::equal(grid.nearest(x.t()).t(), fake_quantize(x, spec)));
  CHECK(at::equal(grid.stored(grid.codes(x.t())).t(), encoded.groups.codes));
  // The mean is rounded to the dtype of scales before deviations are taken from it.
  QuantSpec half = spec;
  half.scale_dtype = ScaleDtype::kFloat16;
  const at::Tensor far = row({2049, 2050}, at::kFloat);  // mean 2049.5, in float16 2050
  CHECK(values(encode(far, half).groups.offset) == std::vector<double>{2050});
  CHECK(values(fake_quantize(far, half))[1] == 2050);
}

TEST_CASE("quantizer: zero point of form A by hand") {
  // Range -1..2, 2 bits: s = 1, z = round(1) = 1; 2 -> code 3, -1 -> code 0, 0.4 -> code 1 -> 0.
  const QuantSpec spec = spec_of(2, QuantForm::kZeroPoint, QuantRange::kZeroIncluded);
  const at::Tensor x = row({-1, 2, 0.4, 1.2});
  REQUIRE(values(fake_quantize(x, spec)) == std::vector<double>{-1, 2, 0, 1});
  const Encoded encoded = encode(x, spec);
  REQUIRE(values(encoded.groups.codes) == std::vector<double>{0, 3, 1, 2});
  REQUIRE(values(encoded.groups.offset) == std::vector<double>{1});
  // A positive group is widened to 0: s = 4 / 3.
  REQUIRE(values(fake_quantize(row({2, 4}), spec))[1] == Approx(4).epsilon(1e-15));
}

TEST_CASE("quantizer: constant groups are exact") {
  for (const double c : {0.0, 1.0, -3.0, 1e-8, 6e4}) {
    for (const auto range : {QuantRange::kRaw, QuantRange::kZeroIncluded}) {
      INFO("constant " << c);
      CHECK(values(fake_quantize(row({c, c, c}), spec_of(4, QuantForm::kMinimum))) ==
            std::vector<double>{c, c, c});
      // n * (c / n) may differ from c by one rounding.
      CHECK(values(fake_quantize(row({c, c, c}), spec_of(4, QuantForm::kZeroPoint, range)))[2] ==
            Approx(c).epsilon(1e-15));
      CHECK(values(fake_quantize(row({c, c, c}), spec_of(4, QuantForm::kSymmetric)))[2] ==
            Approx(c).epsilon(1e-15));
    }
  }
}

TEST_CASE("quantizer: agrees with the composite of ATen operations, bit for bit") {
  at::manual_seed(1);
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    const at::Tensor x = at::randn({7, 37}, at::dtype(dtype)) * 3 + 1;
    for (const int64_t bits : {2, 3, 4, 5, 8}) {
      for (const auto form : {QuantForm::kZeroPoint, QuantForm::kMinimum, QuantForm::kSymmetric}) {
        for (const auto range : {QuantRange::kRaw, QuantRange::kZeroIncluded}) {
          const QuantSpec spec = spec_of(bits, form, range);
          REQUIRE(at::equal(fake_quantize(x, spec), composite(x, spec, false)));
        }
      }
    }
  }
}

TEST_CASE("quantizer: groups, partial groups and tensors have their own scales") {
  at::manual_seed(2);
  const at::Tensor x = at::randn({5, 20}, at::kDouble);
  QuantSpec spec = spec_of(3, QuantForm::kMinimum);
  spec.group_size = 8;
  const at::Tensor y = fake_quantize(x, spec);
  for (const auto& [begin, size] :
       std::vector<std::pair<int64_t, int64_t>>{{0, 8}, {8, 8}, {16, 4}})
    REQUIRE(at::equal(y.narrow(1, begin, size), composite(x.narrow(1, begin, size), spec, false)));
  spec.group_size = 19;  // the last group is one element, which form B keeps exactly
  REQUIRE(at::equal(fake_quantize(x, spec).select(1, 19), x.select(1, 19)));
  spec.group_size = -1;
  spec.per_tensor = true;
  REQUIRE(at::equal(fake_quantize(x, spec).flatten(),
                    composite(x.reshape({1, -1}), spec, false).flatten()));
  spec = spec_of(3, QuantForm::kMinimum);
  spec.group_size = 21;
  REQUIRE_THROWS_AS(fake_quantize(x, spec), c10::Error);
}

TEST_CASE("quantizer: error bound, idempotence, fixed points, equivariance") {
  at::manual_seed(3);
  const at::Tensor x = at::randn({16, 64}, at::kDouble);
  for (const auto form : {QuantForm::kZeroPoint, QuantForm::kMinimum, QuantForm::kSymmetric}) {
    for (const int64_t bits : {2, 3, 4, 8}) {
      const QuantSpec spec = spec_of(bits, form, QuantRange::kZeroIncluded);
      const at::Tensor y = fake_quantize(x, spec);
      const at::Tensor scale = encode(x, spec).groups.scale;
      // One ulp of slack above half a step.
      REQUIRE(((x - y).abs() <= scale / 2 + 1e-15).all().item<bool>());
      REQUIRE(at::allclose(fake_quantize(y, spec), y, 0, 1e-14));
      REQUIRE(at::equal(decode(encode(x, spec)), y));
      REQUIRE(at::allclose(fake_quantize(x * 4, spec), y * 4, 0, 0));  // powers of two are exact
      REQUIRE(at::equal(fake_quantize(x.flip(0), spec), y.flip(0)));
    }
  }
  const QuantSpec shifted = spec_of(4, QuantForm::kMinimum);
  REQUIRE(at::allclose(fake_quantize(x + 8, shifted), fake_quantize(x, shifted) + 8, 0, 1e-13));
  const QuantSpec mirrored = spec_of(4, QuantForm::kSymmetric);
  REQUIRE(at::equal(fake_quantize(-x, mirrored), -fake_quantize(x, mirrored)));
}

TEST_CASE("quantizer: 16 bits is the identity, half types compute in float32") {
  at::manual_seed(4);
  const at::Tensor x = at::randn({3, 32});
  REQUIRE(fake_quantize(x, {}).is_same(x));
  for (const auto dtype : {at::kHalf, at::kBFloat16}) {
    const QuantSpec spec = spec_of(4, QuantForm::kMinimum);
    REQUIRE(at::equal(fake_quantize(x.to(dtype), spec),
                      fake_quantize(x.to(dtype).to(at::kFloat), spec).to(dtype)));
  }
}

TEST_CASE("quantizer: stored scales are rounded to their dtype") {
  at::manual_seed(5);
  const at::Tensor x = at::randn({64, 16}) * 100;
  for (const auto& [scale_dtype, dtype] : std::vector<std::pair<ScaleDtype, at::ScalarType>>{
           {ScaleDtype::kFloat16, at::kHalf}, {ScaleDtype::kBfloat16, at::kBFloat16}}) {
    QuantSpec spec = spec_of(4, QuantForm::kMinimum);
    const EncodedGroups exact = encode(x, spec).groups;
    spec.scale_dtype = scale_dtype;
    const EncodedGroups rounded = encode(x, spec).groups;
    REQUIRE(at::equal(rounded.scale, exact.scale.to(dtype).to(at::kFloat)));
    REQUIRE(at::equal(rounded.offset, exact.offset.to(dtype).to(at::kFloat)));
    REQUIRE(at::equal(decode(encode(x, spec)), fake_quantize(x, spec)));
  }
  // float16 ends at 65504 and has subnormals down to 2^-24: neither overflows nor divides by zero.
  QuantSpec spec = spec_of(2, QuantForm::kMinimum);
  spec.scale_dtype = ScaleDtype::kFloat16;
  REQUIRE(at::isfinite(fake_quantize(row({-1e6, 1e6}), spec)).all().item<bool>());
  REQUIRE(at::isfinite(fake_quantize(row({0, 1e-9}), spec)).all().item<bool>());
  REQUIRE(values(encode(row({0, 3 * 0x1p-24}), spec).groups.scale)[0] == 0x1p-24);
}

TEST_CASE("quantizer: gradient equals the straight-through composite") {
  at::manual_seed(6);
  for (const auto form :
       {QuantForm::kZeroPoint, QuantForm::kMinimum, QuantForm::kSymmetric, QuantForm::kMean}) {
    for (const auto range : {QuantRange::kRaw, QuantRange::kZeroIncluded}) {
      const QuantSpec spec = spec_of(3, form, range);
      const at::Tensor x =
          at::randn({4, 24}, at::kDouble) + (range == QuantRange::kRaw ? 0.3 : 3.0);
      const at::Tensor weight = at::randn({4, 24}, at::kDouble);
      const at::Tensor a = x.clone().requires_grad_(), b = x.clone().requires_grad_();
      (fake_quantize(a, spec) * weight).sum().backward();
      (composite(b, spec, true) * weight).sum().backward();
      INFO("form " << static_cast<int>(form) << " range " << static_cast<int>(range));
      // Sums of 24 terms in another order: a few ulp of values near 10.
      REQUIRE(at::allclose(a.grad(), b.grad(), 1e-12, 1e-13));
    }
  }
}

TEST_CASE("quantizer: clip ratios of one change nothing, smaller ones shrink the range") {
  at::manual_seed(7);
  const at::Tensor x = at::randn({3, 10}, at::kDouble);
  const QuantSpec spec{.bits = 3, .group_size = 4};  // 3 groups a row, the last of 2
  const at::Tensor one = at::ones({3, 3}, at::kDouble);
  REQUIRE(at::equal(fake_quantize_clipped(x, {one, one}, spec), fake_quantize(x, spec)));
  // Range -1..3 of 2 bits; the top clipped to 1.5: step 2.5 / 3, zero point round(1.2) = 1.
  const at::Tensor y = fake_quantize_clipped(
      row({-1, 0, 1, 3}), {at::full({1, 1}, 0.5, at::kDouble), at::ones({1, 1}, at::kDouble)},
      {.bits = 2});
  const double step = 2.5 / 3;
  const std::vector<double> expected{-step, 0, step, 2 * step};
  for (size_t i = 0; i < 4; ++i) REQUIRE(values(y)[i] == Approx(expected[i]).epsilon(1e-14));
}

/// Learnable clipping (OmniQuant) out of plain operations: min and max times their ratios, form A,
/// rounding straight through, the zero point constant.
at::Tensor plain_clipping(const at::Tensor& x, const ClipRatios& clip, double top) {
  const at::Tensor high = clip.high * x.amax(-1, true), low = clip.low * x.amin(-1, true);
  const at::Tensor scale = (high - low) / top, zero = (-low / scale).round().detach();
  const at::Tensor t = x / scale;
  const at::Tensor code = at::clamp(t + (t.round() - t).detach() + zero, 0, top);
  return (code - zero) * scale;
}

TEST_CASE("quantizer: gradients of clip ratios equal plain operations and fall the right way") {
  at::manual_seed(8);
  const auto leaf = [](const at::Tensor& y) { return y.detach().clone().requires_grad_(); };
  const at::Tensor x = at::randn({5, 32}, at::kDouble), slope = at::randn({5, 32}, at::kDouble);
  const at::Tensor ratio = at::rand({5, 1}, at::kDouble) * 0.5 + 0.5;
  const at::Tensor xa = leaf(x), xb = leaf(x);
  const ClipRatios a{leaf(ratio), leaf(ratio)}, b{leaf(ratio), leaf(ratio)};
  (fake_quantize_clipped(xa, a, {.bits = 3}) * slope).sum().backward();
  (plain_clipping(xb, b, 7) * slope).sum().backward();
  // Sums of 32 terms in another order.
  REQUIRE(at::allclose(xa.grad(), xb.grad(), 1e-11, 1e-12));
  REQUIRE(at::allclose(a.high.grad(), b.high.grad(), 1e-11, 1e-12));
  REQUIRE(at::allclose(a.low.grad(), b.low.grad(), 1e-11, 1e-12));
  // One outlier among 300 ones costs everybody the grid: clipping it lowers the squared error.
  const at::Tensor planted =
      at::cat({at::zeros({1, 16}, at::kDouble), at::ones({1, 300}, at::kDouble),
               at::full({1, 1}, 10.0, at::kDouble)},
              1);
  const ClipRatios clip{leaf(at::full({1, 1}, 0.98, at::kDouble)),
                        leaf(at::full({1, 1}, 0.98, at::kDouble))};
  (fake_quantize_clipped(planted, clip, {.bits = 2}) - planted).square().sum().backward();
  REQUIRE(clip.high.grad().item<double>() > 0);
}

TEST_CASE("quantizer: bits a value count scales and zero points") {
  QuantSpec spec{.bits = 4, .group_size = 128, .scale_dtype = ScaleDtype::kFloat16};
  REQUIRE(spec.bits_per_value(4096, 32) == Approx(4.15625).epsilon(1e-12));
  spec.form = QuantForm::kMinimum;
  REQUIRE(spec.bits_per_value(4096, 32) == Approx(4.25).epsilon(1e-12));
  spec = {.bits = 2,
          .group_size = 32,
          .form = QuantForm::kMinimum,
          .scale_dtype = ScaleDtype::kFloat16};
  REQUIRE(spec.bits_per_value(128, 32) == Approx(3.0).epsilon(1e-12));
}
