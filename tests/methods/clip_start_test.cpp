#include "methods/common/clip_start.h"

#include <set>

#include "core/device/torch_headers.h"
#include "core/number/quantizer.h"
#include "methods/common/observe.h"
#include "tests/support/block_fixture.h"
#include "tests/support/catch.h"

using namespace wkvq;

TEST_CASE("clip start: range is a quarter of a step at each end") {
  test::BlockFixture fixture("tests/golden/models/llama_mha");
  QuantizedBlock block{fixture.model().block(0), {}};
  const BlockContext context = fixture.context(0, block);
  // 1 - 1 / (4 * 15), 1 - 1 / (4 * 255), symmetric 3 bits 1 - 1 / (4 * 3).
  for (const auto& [spec, ratio] :
       {std::pair{QuantSpec{.bits = 4}, 59.0 / 60},
        {QuantSpec{.bits = 8}, 1019.0 / 1020},
        {QuantSpec{.bits = 3, .form = QuantForm::kSymmetric}, 11.0 / 12}})
    for (const auto& [name, start] : clip_start(context, block.weights, spec, ClipStart::kRange)) {
      INFO(name);
      CHECK(at::equal(start, at::full_like(start, ratio)));
    }
}

TEST_CASE("clip start: search takes the ratio that costs least under the calibration inputs") {
  const at::NoGradGuard no_grad;
  test::BlockFixture fixture("tests/golden/models/llama_mha");
  QuantizedBlock block{fixture.model().block(0), {}};
  const BlockContext context = fixture.context(0, block);
  const QuantSpec spec{.bits = 2, .group_size = 20};  // inputs of 48: groups of 20, 20 and 8
  const at::Tensor found =
      clip_start(context, block.weights, spec, ClipStart::kSearch).at("down_proj");
  at::Tensor squares = at::zeros({48}, at::kDouble);
  observe_inputs(context, block.weights, context.inputs_full(),
                 [&](const std::string& linear, const at::Tensor& x) {
                   if (linear == "down_proj") squares += x.square().sum(0);
                 });
  const at::Tensor weight = block.weights.down.weight;
  REQUIRE(found.sizes() == at::IntArrayRef({32, 3}));
  std::set<double> taken;
  for (const int64_t row : {0, 7, 31})
    for (int64_t group = 0; group < 3; ++group) {
      const int64_t first = group * 20, size = group == 2 ? 8 : 20;
      const at::Tensor w = weight[row].narrow(0, first, size).unsqueeze(0).contiguous();
      const auto cost = [&](double ratio) {
        const at::Tensor clip = at::full({1, 1}, ratio, at::kDouble);
        const at::Tensor q = fake_quantize_clipped(w, {clip, clip}, {.bits = 2});
        return ((q - w).square() * squares.narrow(0, first, size)).sum().item<double>();
      };
      const double chosen = found[row][group].item<double>();
      taken.insert(chosen);
      INFO("row " << row << ", group " << group << ", ratio " << chosen);
      // Sums of the same products in another order.
      CHECK(cost(chosen) <= cost(11.0 / 12) * (1 + 1e-12));
      for (int step = 0; step <= 9; ++step)
        CHECK(cost(chosen) <= cost(0.95 - 0.05 * step) * (1 + 1e-9));
    }
  CHECK(taken.size() > 1);
}
