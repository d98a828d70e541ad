#include "core/number/packed_weight.h"

#include "core/device/torch_headers.h"
#include "core/number/activation_quantizer.h"
#include "core/number/format_names.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

struct Shape {
  int64_t out, in, group;
};

/// Whole panels and groups, rows that are one group, partial panels, partial last groups.
const std::vector<Shape> kShapes{
    {32, 128, 32}, {48, 256, 128}, {16, 96, -1}, {5, 172, 64}, {33, 40, -1}};

std::vector<QuantSpec> specs(int64_t group) {
  std::vector<QuantSpec> all;
  for (const int64_t bits : {2, 3, 4, 8}) {
    for (const ScaleDtype scale :
         {ScaleDtype::kCompute, ScaleDtype::kFloat16, ScaleDtype::kBfloat16}) {
      const QuantSpec spec{.bits = bits, .group_size = group, .scale_dtype = scale};
      for (const QuantForm form :
           {QuantForm::kZeroPoint, QuantForm::kMinimum, QuantForm::kSymmetric}) {
        all.push_back(spec);
        all.back().form = form;
      }
      all.push_back(spec);
      all.back().range = QuantRange::kRaw;
    }
  }
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

}  // namespace

TEST_CASE("packed weight: what is decoded equals the simulated quantizer bit for bit") {
  at::manual_seed(5);
  for (const PackedKernels& kernels : packed_kernels()) {
    for (const Shape& shape : kShapes) {
      const at::Tensor w = hard_weight(shape);
      for (const QuantSpec& spec : specs(shape.group)) {
        INFO(kernels.name << ", " << shape.out << " x " << shape.in << ", " << spec.bits
                          << " bits, form " << static_cast<int>(spec.form));
        REQUIRE(at::equal(PackedWeight(w, spec, kernels).decode(), fake_quantize(w, spec)));
      }
    }
  }
}

namespace {

/// A spec of every number format whose elements are no whole numbers and have 4 or 8 bits.
std::vector<QuantSpec> element_specs() {
  std::vector<QuantSpec> all;
  for (size_t i = 0; i < number_formats().size(); ++i) {
    const NumberFormat& row = number_formats()[i];
    if (row.element.kind == ElementKind::kInteger || (row.bits != 4 && row.bits != 8)) continue;
    all.push_back({.bits = row.bits,
                   .group_size = row.block > 0 ? row.block : 64,
                   .form = row.form,
                   .scale_dtype = row.scale_bits < 0 ? ScaleDtype::kFloat16 : ScaleDtype::kCompute,
                   .format = static_cast<FormatId>(i)});
  }
  return all;
}

}  // namespace

TEST_CASE("packed weight: every element of 4 and 8 bits, bit for bit, its bytes, its products") {
  at::manual_seed(9);
  REQUIRE(element_specs().size() >= 14);
  for (const PackedKernels& kernels : packed_kernels()) {
    for (const Shape& shape : {Shape{32, 128, 0}, Shape{33, 80, 0}}) {
      at::Tensor w = hard_weight(shape);
      w[4].mul_(1e-6);  // scales that some types lose
      w[5].mul_(300);
      w[6] = at::where(w[6] > 0, w[6], at::zeros({}));
      for (const QuantSpec& spec : element_specs()) {
        const PackedWeight packed(w, spec, kernels);
        INFO(kernels.name << ", " << shape.out << " x " << shape.in << ", "
                          << number_format(spec.format).name);
        const at::Tensor exact = fake_quantize(w, spec);
        REQUIRE(at::equal(packed.decode(), exact));
        if (shape.out == 32)
          CHECK(static_cast<double>(packed.stored_bytes()) ==
                static_cast<double>(w.numel()) * spec.bits_per_value(shape.in, 32) / 8);
        for (const int64_t rows : {1, 5, 16, 17}) {
          const at::Tensor x = at::randn({rows, shape.in});
          const at::Tensor expected = at::matmul(x.to(at::kDouble), exact.to(at::kDouble).t());
          // Two sums of `in` products at most, whose roundings of 6e-8 add up like a random walk.
          const at::Tensor size = x.abs().sum(-1, true) * exact.abs().amax(1).view({1, -1});
          const double tolerance = 2 * 6e-8 * std::sqrt(static_cast<double>(shape.in));
          const at::Tensor apart = (packed.multiply(x).to(at::kDouble) - expected).abs();
          CHECK((apart <= tolerance * size.to(at::kDouble)).all().item<bool>());
        }
      }
    }
  }
}

TEST_CASE("packed weight: stored bytes are those of the formula") {
  for (const Shape& shape : {Shape{32, 128, 32}, Shape{48, 256, 128}, Shape{16, 96, -1}}) {
    const at::Tensor w = at::randn({shape.out, shape.in});
    for (const QuantSpec& spec : specs(shape.group))
      REQUIRE(static_cast<double>(PackedWeight(w, spec).stored_bytes()) ==
              Approx(static_cast<double>(w.numel()) * spec.bits_per_value(shape.in, 32) / 8)
                  .epsilon(1e-12));
  }
  // By hand: 4 bits, groups of 128, float16 and a zero point of 4 bits: 64 + 2.5 bytes a group.
  const QuantSpec four{.bits = 4, .group_size = 128, .scale_dtype = ScaleDtype::kFloat16};
  REQUIRE(PackedWeight(at::randn({16, 256}), four).stored_bytes() == 16 * 2 * 66 + 16);
}

TEST_CASE("packed weight: products agree with the decoded weight in float64") {
  at::manual_seed(6);
  for (const PackedKernels& kernels : packed_kernels()) {
    for (const Shape& shape : kShapes) {
      const at::Tensor w = hard_weight(shape);
      for (const QuantSpec& spec : specs(shape.group)) {
        const PackedWeight packed(w, spec, kernels);
        const at::Tensor exact = packed.decode().to(at::kDouble);
        for (const int64_t rows : {1, 2, 3, 8, 13, 16, 17}) {
          const at::Tensor x = at::randn({rows, shape.in});
          const at::Tensor y = packed.multiply(x).to(at::kDouble);
          const at::Tensor reference = at::matmul(x.to(at::kDouble), exact.t());
          // Codes are multiplied before their zero point or minimum is taken off: three sums of
          // `in` terms (codes, inputs, groups) as large as |x| times twice the largest weight,
          // whose roundings of 6e-8 add up like a random walk.
          const double size =
              x.abs().sum(-1).max().item<double>() * 2 * exact.abs().max().item<double>();
          const double tolerance = 3 * 6e-8 * std::sqrt(static_cast<double>(shape.in)) * size;
          INFO(kernels.name << ", " << shape.out << " x " << shape.in << ", " << spec.bits
                            << " bits, form " << static_cast<int>(spec.form) << ", rows " << rows);
          REQUIRE((y - reference).abs().max().item<double>() < tolerance);
        }
      }
    }
  }
}

namespace {

ActivationOptions in_format(const char* name) {
  ActivationOptions options{.format = format_named(name)};
  options.bits = number_format(options.format).bits;
  options.form = number_format(options.format).form;
  return options;
}

}  // namespace

TEST_CASE("packed weight: products of whole numbers agree with what they stand for in float64") {
  at::manual_seed(8);
  // Grids that have whole numbers, a scale a row or a block, and two that have none.
  const std::vector<ActivationOptions> inputs{
      {.bits = 8},       {.bits = 3},       {.bits = 8, .form = QuantForm::kFullRange},
      in_format("q8_0"), in_format("q4_0"), {.bits = 8, .form = QuantForm::kZeroPoint},
      in_format("mxfp8")};
  for (const PackedKernels& kernels : packed_kernels()) {
    for (const Shape& shape : kShapes) {
      const at::Tensor w = hard_weight(shape);
      for (const QuantSpec& spec : specs(shape.group)) {
        if (spec.scale_dtype != ScaleDtype::kFloat16) continue;
        const PackedWeight packed(w, spec, kernels);
        const at::Tensor exact = packed.decode().to(at::kDouble);
        for (const ActivationOptions& options : inputs) {
          for (const int64_t rows : {1, 2, 7, 16, 17}) {
            const at::Tensor x = at::randn({rows, shape.in});
            const ActivationQuantizer quantizer(options, 0);
            const at::Tensor rounded = quantizer(x).to(at::kDouble);
            const at::Tensor apart =
                packed.multiply(x, quantizer).to(at::kDouble) - at::matmul(rounded, exact.t());
            // As for inputs in float32 above; sums of whole numbers round less.
            const double size =
                rounded.abs().sum(-1).max().item<double>() * 2 * exact.abs().max().item<double>();
            INFO(kernels.name << ", " << shape.out << " x " << shape.in << ", " << spec.bits
                              << " bits, " << number_format(options.format).name << ", rows "
                              << rows);
            REQUIRE(apart.abs().max().item<double>() <
                    3 * 6e-8 * std::sqrt(static_cast<double>(shape.in)) * size);
          }
        }
      }
    }
  }
}

TEST_CASE("packed weight: the largest products of whole numbers, exactly") {
  // Scales of 1: weights 0 .. 2^bits - 1 with zero point 0, inputs -127 .. 127. All sums are whole
  // numbers below 2^24.
  for (const PackedKernels& kernels : packed_kernels()) {
    for (const int64_t bits : {2, 4, 8}) {
      const auto top = static_cast<double>((int64_t{1} << bits) - 1);
      at::Tensor w = at::full({16, 64}, top);
      w[1] = at::arange(64).remainder(top + 1).clamp_max(top);
      w[1][63] = top;
      const PackedWeight packed(w.to(at::kFloat), {.bits = bits}, kernels);
      at::Tensor x = at::full({3, 64}, 127.0);
      x[1].fill_(-127);
      x[2] = at::arange(64) - 30;
      x[2][0] = 127;
      const ActivationQuantizer quantizer({.bits = 8}, 0);
      REQUIRE(at::equal(quantizer(x.to(at::kFloat)), x.to(at::kFloat)));
      INFO(kernels.name << ", " << bits << " bits");
      const at::Tensor y = packed.multiply(x.to(at::kFloat), quantizer);
      CHECK(y[0][0].item<double>() == 64 * 127 * top);
      CHECK(y[1][0].item<double>() == -64 * 127 * top);
      CHECK(at::equal(y.to(at::kDouble), at::matmul(x.to(at::kDouble), w.to(at::kDouble).t())));
    }
  }
}

TEST_CASE("packed weight: a product by hand") {
  // Codes 0..3 on a grid of step 1 from -1: x picks one input at a time.
  at::Tensor w = at::zeros({16, 32});
  w.select(1, 0).fill_(-1);
  w.select(1, 1).fill_(2);
  w[7][5] = 1;
  const PackedWeight packed(w, {.bits = 2, .scale_dtype = ScaleDtype::kFloat16});
  at::Tensor x = at::zeros({2, 32});
  x[0][5] = 3;
  x[1][0] = 1;
  x[1][1] = 10;
  const at::Tensor y = packed.multiply(x);
  for (int64_t out = 0; out < 16; ++out) {
    REQUIRE(y[0][out].item<float>() == (out == 7 ? 3.0F : 0.0F));
    REQUIRE(y[1][out].item<float>() == 19.0F);
  }
}

TEST_CASE(
    "packed weight: half precision in and out, leading dimensions kept, threads change no bit") {
  at::manual_seed(7);
  const at::Tensor w = at::randn({80, 96}).to(at::kBFloat16);
  const QuantSpec spec{.bits = 4, .group_size = 32, .scale_dtype = ScaleDtype::kFloat16};
  const PackedWeight packed(w, spec);
  REQUIRE(at::equal(packed.decode().to(at::kBFloat16), fake_quantize(w, spec)));
  const at::Tensor x = at::randn({2, 3, 96}).to(at::kBFloat16), y = packed.multiply(x);
  REQUIRE(y.sizes() == at::IntArrayRef({2, 3, 80}));
  REQUIRE(y.scalar_type() == at::kBFloat16);
  const int threads = at::get_num_threads();
  for (const int n : {1, 3}) {
    at::set_num_threads(n);
    REQUIRE(at::equal(packed.multiply(x), y));
  }
  at::set_num_threads(threads);
}

TEST_CASE("packed weight: refuses what it cannot store and says what it can") {
  using Catch::Matchers::Contains;
  const at::Tensor w = at::randn({16, 64});
  REQUIRE_THROWS_WITH(PackedWeight(w, {.bits = 5}),
                      Contains("5 bits are not supported; expected 2, 3, 4 or 8"));
  REQUIRE_THROWS_WITH(PackedWeight(w, {.bits = 4, .group_size = 20}), Contains("group_size 20"));
  REQUIRE_THROWS_WITH(PackedWeight(w, {.bits = 4, .per_tensor = true}), Contains("per_tensor"));
  REQUIRE_THROWS_WITH(PackedWeight(w.to(at::kDouble), {.bits = 4}), Contains("Double"));
  REQUIRE_THROWS_WITH(PackedWeight(w, {.bits = 4}).multiply(at::randn({1, 63})),
                      Contains("[1, 63]"));
}
