#include "core/device/torch_headers.h"
#include "core/number/quantizer.h"
#include "tests/support/catch.h"
#include "tests/support/device_kernels.h"

using namespace wkvq;
using namespace wkvq::test;

namespace {

std::vector<QuantSpec> specs() {
  std::vector<QuantSpec> all;
  for (const int64_t bits : {2, 4, 8})
    for (const QuantForm form : {QuantForm::kZeroPoint, QuantForm::kMinimum, QuantForm::kSymmetric,
                                 QuantForm::kFullRange, QuantForm::kMean})
      for (const QuantRange range : {QuantRange::kRaw, QuantRange::kZeroIncluded})
        for (const ScaleDtype scale : {ScaleDtype::kCompute, ScaleDtype::kFloat16})
          all.push_back(
              {.bits = bits, .group_size = 64, .form = form, .range = range, .scale_dtype = scale});
  for (size_t i = 0; i < number_formats().size(); ++i) {
    const NumberFormat& format = number_formats()[i];
    if (format.whole_numbers()) continue;
    all.push_back({.bits = format.bits,
                   .group_size = format.block > 0 ? format.block : 64,
                   .form = format.form,
                   .format = static_cast<FormatId>(i)});
  }
  return all;
}

/// More groups than a block has threads, the last of each row shorter; a constant and an empty one.
at::Tensor hard_rows(at::ScalarType dtype) {
  at::Tensor x = at::randn({47, 150}) * 3 + 0.5;
  x[1].fill_(-2);
  x[2].fill_(0);
  return x.to(dtype);
}

void forward(const TestDevice& on) {
  at::manual_seed(37);
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble, at::kHalf}) {
    const at::Tensor x = hard_rows(dtype), there = x.to(on.device);
    for (const QuantSpec& spec : specs()) {
      const QuantPlan plan = make_plan(x, spec);
      INFO(on.kernels->name << ", " << at::toString(dtype) << ", " << spec.bits << " bits, form "
                            << static_cast<int>(spec.form) << ", format "
                            << number_format(spec.format).name);
      REQUIRE(at::equal(fake_quant_forward(there, plan, {}, on.kernels).cpu(),
                        fake_quant_forward(x, plan)));
      const EncodedGroups a = encode_groups(there, plan, {}, on.kernels),
                          b = encode_groups(x, plan);
      REQUIRE(at::equal(a.codes.cpu(), b.codes));
      REQUIRE(at::equal(a.scale.cpu(), b.scale));
      REQUIRE(at::equal(a.offset.cpu(), b.offset));
    }
  }
}

void backward(const TestDevice& on) {
  at::manual_seed(38);
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    const at::Tensor x = hard_rows(dtype), slope = at::randn(x.sizes(), x.options());
    for (const QuantSpec& spec : specs()) {
      const QuantPlan plan = make_plan(x, spec);
      const auto ratio = [&] {
        return at::rand({47, plan.groups_per_row()}, x.options()) * 0.5 + 0.5;
      };
      const ClipRatios clip{ratio(), ratio()};
      const ClipRatios there{clip.high.to(on.device), clip.low.to(on.device)};
      INFO(on.kernels->name << ", " << at::toString(dtype) << ", " << spec.bits << " bits, form "
                            << static_cast<int>(spec.form) << ", format "
                            << number_format(spec.format).name);
      const auto on_device = [&](const ClipRatios& ratios) {
        return fake_quant_backward(slope.to(on.device), x.to(on.device), plan, ratios, on.kernels);
      };
      REQUIRE(at::equal(fake_quant_forward(x.to(on.device), plan, there, on.kernels).cpu(),
                        fake_quant_forward(x, plan, clip)));
      const FakeQuantGradients a = on_device(there), b = fake_quant_backward(slope, x, plan, clip);
      REQUIRE(at::equal(a.x.cpu(), b.x));
      REQUIRE(at::equal(a.clip.high.cpu(), b.clip.high));
      REQUIRE(at::equal(a.clip.low.cpu(), b.clip.low));
      const FakeQuantGradients plain = on_device({});
      REQUIRE(at::equal(plain.x.cpu(), fake_quant_backward(slope, x, plan).x));
      REQUIRE(!plain.clip.high.defined());
    }
  }
}

}  // namespace

TEST_CASE("device quantizer: values, codes and grids equal the CPU's to the bit, emulated") {
  for (const TestDevice& on : emulated_devices()) forward(on);
}

TEST_CASE("device quantizer: values, codes and grids equal the CPU's to the bit, CUDA", "[cuda]") {
  for (const TestDevice& on : cuda_devices()) forward(on);
}

TEST_CASE("device quantizer: gradients of values and clip ratios equal the CPU's, emulated") {
  for (const TestDevice& on : emulated_devices()) backward(on);
}

TEST_CASE("device quantizer: gradients of values and clip ratios equal the CPU's, CUDA", "[cuda]") {
  for (const TestDevice& on : cuda_devices()) backward(on);
}

TEST_CASE("device quantizer: channels and clip ratios are trained on CUDA as on the CPU",
          "[cuda]") {
  for (const TestDevice& on : cuda_devices()) {
    at::manual_seed(39);
    const QuantSpec spec{.bits = 3, .form = QuantForm::kMinimum, .range = QuantRange::kRaw};
    const at::Tensor x = at::randn({16, 64}), slope = at::randn({16, 64});
    const auto gradients = [&](const at::Device& device) {
      const auto leaf = [&](const at::Tensor& y) {
        return y.to(device).detach().clone().requires_grad_();
      };
      const at::Tensor shift = leaf(at::full({64}, 0.25)), scale = leaf(at::full({64}, 1.5));
      const ClipRatios clip{leaf(at::full({16, 1}, 0.9)), leaf(at::full({16, 1}, 0.8))};
      const at::Tensor y = fake_quantize_clipped((x.to(device) - shift) / scale, clip, spec);
      ((y * scale + shift) * slope.to(device)).sum().backward();
      return at::cat({shift.grad(), scale.grad(), clip.high.grad().flatten(),
                      clip.low.grad().flatten()})
          .cpu();
    };
    // Sums of 16 terms in another order.
    REQUIRE(at::allclose(gradients(on.device), gradients(at::kCPU), 1e-4, 1e-5));
  }
}
