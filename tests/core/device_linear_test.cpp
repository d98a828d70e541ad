#include "core/device/torch_headers.h"
#include "core/number/format_names.h"
#include "core/number/packed_weight.h"
#include "tests/support/catch.h"
#include "tests/support/device_kernels.h"

using namespace wkvq;
using namespace wkvq::test;

namespace {

struct Shape {
  int64_t out, in, group;
};

/// Whole panels and groups, rows that are one group, partial panels, partial last groups, more
/// steps than slices.
const std::vector<Shape> kShapes{{16, 320, 32}, {32, 256, 128}, {5, 172, 64}, {33, 40, -1}};

std::vector<QuantSpec> specs(int64_t bits, int64_t group) {
  const QuantSpec spec{.bits = bits, .group_size = group, .scale_dtype = ScaleDtype::kFloat16};
  std::vector<QuantSpec> all(4, spec);
  all[1].form = QuantForm::kMinimum;
  all[2].form = QuantForm::kSymmetric;
  all[3].range = QuantRange::kRaw;
  all[3].scale_dtype = ScaleDtype::kCompute;
  return all;
}

/// Groups of one sign, constant groups and zeros among ordinary ones.
at::Tensor hard_weight(const Shape& shape) {
  at::Tensor w = at::randn({shape.out, shape.in});
  w[0].abs_();
  w[1].fill_(0.25);
  w[2].fill_(0);
  w[3].sub_(10);
  return w;
}

void products(const TestDevice& on) {
  at::manual_seed(35);
  for (const Shape& shape : kShapes) {
    const at::Tensor w = hard_weight(shape).to(on.device);
    for (const int64_t bits : {2, 3, 4, 8}) {
      for (const QuantSpec& spec : specs(bits, shape.group)) {
        const PackedWeight packed(encode(w, spec), spec, packed_kernels().front(), on.kernels);
        INFO(on.kernels->name << ", " << shape.out << " x " << shape.in << ", " << bits
                              << " bits, form " << static_cast<int>(spec.form));
        REQUIRE(at::equal(packed.decode().cpu(), fake_quantize(w.cpu(), spec)));
        const at::Tensor exact = packed.decode().to(at::kDouble);
        for (const int64_t rows : {1, 2, 3, 8, 13, 17}) {
          const at::Tensor x = at::randn({rows, shape.in}).to(on.device);
          const at::Tensor expected = at::matmul(x.to(at::kDouble), exact.t());
          // One rounding of 6e-8 a term, which add up like a random walk.
          const double size =
              x.abs().sum(-1).max().item<double>() * exact.abs().max().item<double>();
          const double tolerance = 6e-8 * std::sqrt(static_cast<double>(shape.in)) * size;
          INFO("rows " << rows);
          REQUIRE((packed.multiply(x).to(at::kDouble) - expected).abs().max().item<double>() <
                  tolerance);
        }
      }
    }
  }
}

/// Elements of 4 and 8 bits, scales of every type, groups of 16.
void elements(const TestDevice& on) {
  at::manual_seed(36);
  const at::Tensor w = hard_weight({33, 336, 0});
  for (const char* name : {"nf4", "fp4_e2m1", "mxfp4", "nvfp4", "nvfp4_4over6", "iq4_nl",
                           "fp8_e4m3", "fp8_e5m2", "fp8_e4m3_cast", "mxfp8"}) {
    const FormatId id = format_named(name);
    const NumberFormat& row = number_format(id);
    const QuantSpec spec{.bits = row.bits,
                         .group_size = row.block > 0 ? row.block : 64,
                         .form = row.form,
                         .format = id};
    const PackedWeight packed(encode(w.to(on.device), spec), spec, packed_kernels().front(),
                              on.kernels);
    INFO(on.kernels->name << ", " << name);
    REQUIRE(at::equal(packed.decode().cpu(), fake_quantize(w, spec)));
    for (const int64_t rows : {1, 2, 3, 8}) {
      const at::Tensor x = at::randn({rows, 336});
      const at::Tensor exact = fake_quantize(w, spec).to(at::kDouble);
      const at::Tensor expected = at::matmul(x.to(at::kDouble), exact.t());
      // As in products().
      const double size = x.abs().sum(-1).max().item<double>() * exact.abs().max().item<double>();
      REQUIRE((packed.multiply(x.to(on.device)).to(at::kDouble).cpu() - expected)
                  .abs()
                  .max()
                  .item<double>() < 6e-8 * std::sqrt(336.0) * size);
    }
  }
}

/// Codes 0..3 on a grid of step 1 from -1: x picks one input at a time.
void by_hand(const TestDevice& on) {
  at::Tensor w = at::zeros({16, 64});
  w.select(1, 0).fill_(-1);
  w.select(1, 1).fill_(2);
  w[7][37] = 1;
  const QuantSpec spec{.bits = 2, .scale_dtype = ScaleDtype::kFloat16};
  const PackedWeight packed(encode(w.to(on.device), spec), spec, packed_kernels().front(),
                            on.kernels);
  at::Tensor x = at::zeros({2, 1, 64});
  x[0][0][37] = 3;
  x[1][0][0] = 1;
  x[1][0][1] = 10;
  for (const at::ScalarType dtype : {at::kFloat, at::kHalf, at::kBFloat16}) {
    const at::Tensor y = packed.multiply(x.to(on.device).to(dtype));
    REQUIRE(y.sizes() == at::IntArrayRef({2, 1, 16}));
    REQUIRE(y.scalar_type() == dtype);
    for (int64_t out = 0; out < 16; ++out) {
      REQUIRE(y[0][0][out].item<float>() == (out == 7 ? 3.0F : 0.0F));
      REQUIRE(y[1][0][out].item<float>() == 19.0F);
    }
  }
}

}  // namespace

TEST_CASE("device linear: products agree with float64, decoded weights to the bit, emulated") {
  for (const TestDevice& on : emulated_devices()) products(on);
}

TEST_CASE("device linear: products agree with float64, decoded weights to the bit, CUDA",
          "[cuda]") {
  for (const TestDevice& on : cuda_devices()) products(on);
}

TEST_CASE("device linear: a product by hand, emulated") {
  for (const TestDevice& on : emulated_devices()) by_hand(on);
}

TEST_CASE("device linear: a product by hand, CUDA", "[cuda]") {
  for (const TestDevice& on : cuda_devices()) by_hand(on);
}

TEST_CASE("device linear: elements of 4 and 8 bits as on the CPU, emulated") {
  for (const TestDevice& on : emulated_devices()) elements(on);
}

TEST_CASE("device linear: elements of 4 and 8 bits as on the CPU, CUDA", "[cuda]") {
  for (const TestDevice& on : cuda_devices()) elements(on);
}
