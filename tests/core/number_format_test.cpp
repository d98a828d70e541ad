#include "core/number/number_format.h"

#include <cmath>

#include "core/device/torch_headers.h"
#include "core/number/elements.h"
#include "core/number/quantizer.h"
#include "tests/support/formats.h"
#include "tests/support/tensors.h"

using namespace wkvq;

namespace {

using test::format_id;
using test::largest_difference;

std::vector<double> values(const at::Tensor& x) {
  const at::Tensor y = x.to(at::kDouble).flatten().contiguous();
  return {y.const_data_ptr<double>(), y.const_data_ptr<double>() + y.numel()};
}

at::Tensor row(const std::vector<double>& x) {
  return at::tensor(x, at::kDouble).unsqueeze(0);
}

QuantSpec spec_of(const std::string& name, int64_t group = -1) {
  const FormatId id = format_id(name);
  const NumberFormat& format = number_format(id);
  return {.bits = format.bits,
          .group_size = format.block > 0 ? format.block : group,
          .form = format.form,
          .format = id};
}

/// Every format whose codes are those nearest on the grid of its stored scale: all but integers
/// and ggml's blocks.
std::vector<const NumberFormat*> elements() {
  std::vector<const NumberFormat*> all;
  for (const NumberFormat& format : number_formats())
    if (!format.whole_numbers() && !by_inverse(format.rule)) all.push_back(&format);
  return all;
}

std::vector<double> rounded(const std::string& format, const std::vector<double>& x) {
  return values(fake_quantize(row(x), spec_of(format)));
}

at::Tensor golden(const std::string& name, at::ScalarType type) {
  static const SafetensorsFile file(test::source("tests/golden/formats.safetensors"));
  return test::golden(file, name, type);
}

}  // namespace

TEST_CASE("number formats: the values of every code, by hand and as ml_dtypes has them") {
  CHECK(element_values(number_format(format_id("fp4_e2m1")).element) ==
        std::vector<double>{0, .5, 1, 1.5, 2, 3, 4, 6, 0, -.5, -1, -1.5, -2, -3, -4, -6});
  const std::vector<double> e4m3 = element_values(number_format(format_id("fp8_e4m3")).element);
  CHECK(e4m3[0x01] == std::ldexp(1.0, -9));
  CHECK(e4m3[0x38] == 1);
  CHECK(e4m3[0x7e] == 448);
  CHECK(element_values(number_format(format_id("nf4")).element).at(7) == 0);
  int64_t compared = 0;
  for (const char* name : {"fp8_e4m3", "fp8_e5m2", "fp6_e3m2", "fp6_e2m3", "fp4_e2m1"}) {
    const std::vector<double> ours = element_values(number_format(format_id(name)).element);
    const std::vector<double> theirs = values(golden(std::string(name) + ".values", at::kFloat));
    REQUIRE(ours.size() == theirs.size());
    for (size_t code = 0; code < ours.size(); ++code) {
      INFO(name << ", code " << code);
      if (!std::isfinite(theirs[code])) continue;  // codes that no rounding gives
      CHECK(ours[code] == theirs[code]);
      ++compared;
    }
  }
  CHECK(compared == 254 + 248 + 64 + 64 + 16);
}

TEST_CASE("number formats: codes of random numbers, middles and ends are those of ml_dtypes") {
  for (const char* name : {"fp8_e4m3", "fp8_e5m2", "fp6_e3m2", "fp6_e2m3", "fp4_e2m1"}) {
    const at::Tensor x = golden(std::string(name) + ".x", at::kFloat);
    const at::Tensor codes = golden(std::string(name) + ".codes", at::kByte);
    // A group a number whose scale is 1: the largest element stands beside it.
    QuantPlan plan = make_plan(x.unsqueeze(1), spec_of(name));
    plan.rule = ScaleRule::kOne;
    for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
      const EncodedGroups encoded = encode_groups(x.to(dtype).unsqueeze(1), plan);
      INFO(name << " " << at::toString(dtype));
      CHECK(at::equal(encoded.codes.flatten(), codes));
      const at::Tensor nearest = nearest_elements(x.to(dtype), plan);
      const at::Tensor other = element_codes(nearest, plan).ne(codes);
      CAPTURE(x.masked_select(other), nearest.masked_select(other), codes.masked_select(other));
      CHECK(other.sum().item<int64_t>() == 0);
      CHECK(at::equal(elements_of(codes, plan, dtype), nearest));
    }
  }
}

TEST_CASE("number formats: nf4 rounds to the nearest of its values, the lower one of two") {
  const std::vector<double> all = element_values(number_format(format_id("nf4")).element);
  CHECK(rounded("nf4", all) == all);
  CHECK(rounded("nf4", {1, 0.5, 0.49, -0.9}) ==
        std::vector<double>{1, 0.44070982933044434, 0.44070982933044434, -1});
  const double middle = (all[7] + all[8]) / 2;
  CHECK(rounded("nf4", {1, middle, std::nextafter(middle, 1)}) ==
        std::vector<double>{1, all[7], all[8]});
}

TEST_CASE("number formats: rules of the scale by hand") {
  // OCP: 2^(floor(log2 7.9) - 2) = 1, and 7.9 is clipped to 6; rounded up it is 2.
  CHECK(rounded("mxfp4", {7.9, 2.4, -5, 0.3}) == std::vector<double>{6, 2, -4, 0.5});
  CHECK(rounded("mxfp4_ceil", {7.9, 2.4, -5, 0.3}) == std::vector<double>{8, 2, -4, 0});
  // Exactly at the largest element nothing has to be rounded up.
  CHECK(rounded("mxfp4_ceil", {6, 0.25, 0.75}) == std::vector<double>{6, 0, 1});
  CHECK(rounded("mxfp4", {std::ldexp(6, -100)}) == std::vector<double>{std::ldexp(6, -100)});
  // e8m0 ends at 2^-127: what is smaller than half of the least value is lost.
  CHECK(rounded("mxfp4", {std::ldexp(1, -140)}) == std::vector<double>{0});
  // Scale 1 whatever the group holds.
  CHECK(rounded("fp8_e4m3_cast", {1000, 1.06, -3}) == std::vector<double>{448, 1, -3});
  // Scale 448 / 448 and 56 / 448.
  CHECK(rounded("fp8_e4m3", {448, 17, 1.06}) == std::vector<double>{448, 16, 1});
  CHECK(rounded("fp8_e4m3", {56, 17. / 8}) == std::vector<double>{56, 2});
}

TEST_CASE("number formats: two levels of scales by hand") {
  // The tensor's largest is 6: g = 448. Blocks of 16 with largest 6, 3 and 1.1: e4m3(448) / 448 =
  // 1, e4m3(224) / 448 = 0.5, e4m3(82.13) = 80, 80 / 448.
  at::Tensor x = at::zeros({1, 48}, at::kDouble);
  x[0][0] = 6;
  x[0][1] = 2.4;
  x[0][16] = 3;
  x[0][17] = 1.2;
  x[0][32] = 1.1;
  const Encoded encoded = encode(x, spec_of("nvfp4"));
  CHECK(values(encoded.groups.scale) == std::vector<double>{1, 0.5, 80.0 / 448});
  const at::Tensor y = decode(encoded);
  CHECK(values(y[0][1]) == std::vector<double>{2});
  CHECK(values(y[0][17]) == std::vector<double>{1});
  CHECK(values(y[0][32])[0] == Approx(6 * 80.0 / 448).epsilon(1e-15));
  // The example of the paper: 10, 20, 30, 40 are exact under 40 / 4, and 30 is not under 40 / 6.
  const at::Tensor tens = row({10, 20, 30, 40});
  QuantSpec spec = spec_of("nvfp4_4over6");
  spec.group_size = 4;
  // g = 38.4 is stored in float32: half a unit of 6e-8 of 40.
  CHECK((fake_quantize(tens, spec) - tens).abs().max().item<double>() < 40 * 6e-8);
  spec.format = format_id("nvfp4");
  CHECK(values(fake_quantize(tens, spec))[2] != 30);
  // Where both are as good, or 6 is better, it is 6: g = 256 * 6 / 6.
  spec.format = format_id("nvfp4_4over6");
  CHECK(values(encode(row({6, 3, 1.5, 0.5}), spec).groups.scale) == std::vector<double>{1});
  // Cast: a tensor scale of 1, so a block's scale is e4m3(2 / 6) = 0.34375.
  CHECK(values(encode(row({2, 1}),
                      {.bits = 4, .form = QuantForm::kSymmetric, .format = format_id("nvfp4_cast")})
                   .groups.scale) == std::vector<double>{0.34375});
}

TEST_CASE("number formats: fixed points, saturation, symmetry, ties to even") {
  at::manual_seed(5);
  for (const NumberFormat* format : elements()) {
    INFO(format->name);
    const at::Tensor x = at::randn({7, 64}, at::kDouble) * 2;
    const QuantSpec spec = spec_of(format->name, 32);
    const at::Tensor y = fake_quantize(x, spec);
    // Grids that widen with what they hold (4over6 chooses anew) need not be idempotent.
    if (format->rule != ScaleRule::kFourOverSix && format->rule != ScaleRule::kTwoLevels)
      CHECK(largest_difference(fake_quantize(y, spec), y) <= 1e-15 * 10);
    if (format->element.kind == ElementKind::kFloat) CHECK(at::equal(fake_quantize(-x, spec), -y));
    CHECK(at::equal(fake_quantize(at::zeros({2, 64}), spec), at::zeros({2, 64})));
    const auto broken = fake_quantize(at::full({1, 32}, NAN), spec);
    CHECK(broken.isnan().all().item<bool>());
    // A power of two moves along, but where the scale is fixed.
    if (format->rule != ScaleRule::kOne && format->tensor_limit >= 0 &&
        std::string(format->name) != "nvfp4_cast")
      CHECK(largest_difference(fake_quantize(x * 8, spec), y * 8) <= 1e-14);
  }
  // Ties of e2m1: 2.5 between 2 and 3, 5 between 4 and 6, 0.25, 0.75.
  CHECK(rounded("fp4_e2m1", {6, 2.5, 3.5, 5, 0.25, 0.75, -1.25}) ==
        std::vector<double>{6, 2, 4, 4, 0, 1, -1});
}

TEST_CASE("number formats: codes decode to the simulated values, in every dtype, and on grids") {
  at::manual_seed(6);
  for (const NumberFormat* format : elements()) {
    const QuantSpec spec = spec_of(format->name, 48);
    for (const at::ScalarType dtype : {at::kFloat, at::kDouble, at::kBFloat16}) {
      INFO(format->name << " " << at::toString(dtype));
      const at::Tensor x = (at::randn({5, 100}) * 3).to(dtype);
      CHECK(at::equal(decode(encode(x, spec)), fake_quantize(x, spec)));
      // A grid held fixed gives each row what it gives the row as one group.
      QuantSpec whole = of_tensor(spec, x);
      whole.group_size = -1;
      const GroupGrid grid = group_grid(x, whole);
      CHECK(at::equal(grid.nearest(x.t()).t(), fake_quantize(x, whole)));
      const Encoded encoded = encode(x, whole);
      CHECK(at::equal(grid.stored(grid.codes(x.t())).t(), encoded.groups.codes));
    }
  }
}

TEST_CASE("number formats: gradients pass inside and reach what set the scale") {
  // fp4 with scale 1: x = 6 sets it; y = 2 stands 0.4 below its input.
  at::Tensor x = row({6, 2.4, 1}).requires_grad_(true);
  fake_quantize(x, spec_of("fp4_e2m1")).backward(row({1, 1, 1}));
  // d/dscale of 2.4 is (2 - 2.4), and the scale is x0 / 6.
  CHECK(values(x.grad())[0] == Approx(1 - 0.4 / 6).epsilon(1e-12));
  CHECK(values(x.grad())[1] == 1);
  // A cast passes nothing beyond its largest value and has no scale.
  at::Tensor z = row({1000, 2.4}).requires_grad_(true);
  fake_quantize(z, spec_of("fp8_e4m3_cast")).backward(row({1, 1}));
  CHECK(values(z.grad()) == std::vector<double>{0, 1});
}

TEST_CASE("number formats: stored bits") {
  CHECK(spec_of("mxfp4").bits_per_value(64, 32) == 4.25);
  CHECK(spec_of("mxfp8").bits_per_value(64, 32) == 8.25);
  CHECK(spec_of("nvfp4").bits_per_value(64, 32) == 4.5);
  CHECK(spec_of("fp8_e4m3_cast").bits_per_value(64, 32) == 8);
  QuantSpec spec = spec_of("fp8_e4m3", 32);
  spec.scale_dtype = ScaleDtype::kFloat16;
  CHECK(spec.bits_per_value(64, 32) == 8.5);
}
