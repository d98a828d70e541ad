#include "methods/common/output_error.h"

#include "core/calibrate/statistics.h"
#include "core/device/torch_headers.h"
#include "methods/common/observe.h"
#include "tests/support/block_fixture.h"

using namespace wkvq;

namespace {

const char* const kModel = "tests/golden/models/llama_gqa_head_dim";

/// Block 0 after `method`, errors measured on the calibration text and, where defined, on `text`.
QuantizedBlock measured(test::BlockFixture& fixture, const std::string& method,
                        const at::Tensor& text = {}) {
  QuantizedBlock block{fixture.model().block(0), {}};
  BlockContext context = fixture.context(0, block);
  context.quantized = &fixture.inputs(0);
  context.measure_errors = true;
  context.text = text;
  test::method_of(method)->calibrate(context, fixture.recorder());
  return block;
}

double number(test::BlockFixture& fixture, const std::string& name) {
  return std::get<double>(fixture.recorder().attributes.at("/statistics/block_00/" + name));
}

/// Inputs of `linear` in block 0 as `weights` make them: windows 0 and 2 of the four calibration
/// windows, all tokens but the first of each, [46, in].
at::Tensor inputs_of(test::BlockFixture& fixture, const BlockWeights& weights,
                     const std::string& linear) {
  QuantizedBlock block{weights, {}};
  const BlockContext context = fixture.context(0, block);
  std::vector<at::Tensor> rows;
  const std::vector<at::Tensor>& hidden = fixture.inputs(0);
  observe_inputs(context, weights, {hidden[0].narrow(0, 0, 1), hidden[1].narrow(0, 0, 1)},
                 [&](const std::string& name, const at::Tensor& x) {
                   if (name == linear) rows.push_back(x.narrow(0, 1, x.size(0) - 1));
                 });
  return at::cat(rows);
}

double relative(const at::Tensor& exact, const at::Tensor& got) {
  return ((got - exact).square().sum() / exact.square().sum()).sqrt().item<double>();
}

}  // namespace

TEST_CASE("output error: round to nearest leaves what it leaves, by the definition") {
  test::BlockFixture fixture(kModel);
  BlockWeights full = fixture.model().block(0);
  const QuantizedBlock block = measured(fixture, "{name: rtn, weight: {bits: 3, group_size: 8}}");
  const at::Tensor x = inputs_of(fixture, full, "down_proj");
  REQUIRE(x.size(0) == 46);
  const double expected =
      relative(at::linear(x, full.down.weight), at::linear(x, block.weights.down.weight));
  // Sums of float64 in another order.
  CHECK(number(fixture, "down_proj/output_error") == Approx(expected).epsilon(1e-12));
  for (const LinearSpec& row : kLinears) {
    const std::string linear = row.name;
    CHECK(number(fixture, linear + "/output_error") > 0);
    CHECK(number(fixture, linear + "/output_error") ==
          number(fixture, linear + "/output_error_nearest"));
  }
  CHECK(std::get<int64_t>(
            fixture.recorder().attributes.at("/statistics/block_00/down_proj/output_rows")) == 46);
  CHECK(!fixture.recorder().attributes.contains("/statistics/block_00/down_proj/text_error"));
}

TEST_CASE("output error: rows that a transformation scales are measured in the model's units") {
  test::BlockFixture fixture(kModel);
  const BlockWeights full = fixture.model().block(0);
  const QuantizedBlock block = measured(
      fixture,
      "{name: smoothquant, weight: {bits: 4, group_size: 8}, sites: {input_norm: false, post_norm: "
      "false, value_output: false, up_down: true}}");
  const auto& scale = std::get<std::vector<float>>(
      fixture.recorder().columns.at("/calibration/block_00/up_down/scale"));
  // up_proj's rows were divided by these.
  const at::Tensor s = at::tensor(scale).to(at::kDouble).unsqueeze(1);
  REQUIRE((s.max() / s.min()).item<double>() > 1.5);
  const at::Tensor x = inputs_of(fixture, full, "up_proj");
  const double expected =
      relative(at::linear(x, full.up.weight), at::linear(x, block.weights.up.weight * s));
  // Scales are recorded in float32.
  CHECK(number(fixture, "up_proj/output_error") == Approx(expected).epsilon(1e-6));
  const double nearest =
      relative(at::linear(x, full.up.weight),
               at::linear(x, fake_quantize(full.up.weight, {.bits = 4, .group_size = 8})));
  CHECK(number(fixture, "up_proj/output_error_nearest") == Approx(nearest).epsilon(1e-12));
}

TEST_CASE("output error: GPTQ's is below that of rounding on its own text, every method records") {
  for (const std::string& name : method_names()) {
    test::BlockFixture fixture(kModel);
    const at::Tensor text = fixture.model().embed(at::arange(40, at::kLong).view({1, 40}));
    measured(fixture, fmt::format("{{name: {}, weight: {{bits: 3, group_size: 16}}}}", name), text);
    double error = 0, nearest = 0;
    for (const LinearSpec& row : kLinears) {
      const std::string linear = row.name;
      INFO(name << ", " << linear);
      error += number(fixture, linear + "/output_error");
      nearest += number(fixture, linear + "/output_error_nearest");
      // Three bits: some per cent to tens of per cent; noise alone would give 1.
      for (const char* of : {"/output_error", "/text_error"}) {
        CHECK(number(fixture, linear + of) > 0.01);
        CHECK(number(fixture, linear + of) < 0.9);
      }
      CHECK(std::get<int64_t>(fixture.recorder().attributes.at("/statistics/block_00/" + linear +
                                                               "/text_rows")) == 39);
    }
    INFO(name << ": " << error << ", nearest " << nearest);
    if (name == "gptq") CHECK(error < 0.9 * nearest);
    if (name == "rtn" || name == "kivi" || name == "kvquant" || name == "turboquant")
      CHECK(error == nearest);
  }
}
