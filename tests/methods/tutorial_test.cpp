#include "core/device/torch_headers.h"
#include "docs/tutorial/methods/bias_correction/bias_correction.h"
#include "methods/common/observe.h"
#include "tests/support/block_fixture.h"

using namespace wkvq;

namespace {

/// The mean output of every linear over the calibration text, [out], where its input is that of
/// the full-precision block.
std::map<std::string, at::Tensor> mean_outputs(test::BlockFixture& fixture, QuantizedBlock& block) {
  BlockWeights full = fixture.model().block(0);
  std::map<std::string, const Linear*> linears;
  block.weights.visit_linears([&](const char* name, Linear& linear) { linears[name] = &linear; });
  std::map<std::string, std::vector<at::Tensor>> outputs;
  observe_inputs(fixture.context(0, block), full, fixture.inputs(0),
                 [&](const std::string& name, const at::Tensor& x) {
                   outputs[name].push_back((*linears[name])(x));
                 });
  std::map<std::string, at::Tensor> means;
  for (const auto& [name, parts] : outputs) means[name] = at::cat(parts).mean(0);
  return means;
}

QuantizedBlock corrected(test::BlockFixture& fixture, const std::string& options) {
  BiasCorrection method;
  const YamlNode node = parse_yaml("{" + options + "}", "method.yaml");
  YamlMap map(node, "method");
  map.read(method);
  map.finish();
  return fixture.calibrated(method, 0);
}

}  // namespace

TEST_CASE("tutorial: bias correction keeps the mean output of every linear, float64") {
  // With biases of its own, and without.
  for (const char* model : {"llama_bias", "llama_gqa_head_dim"}) {
    test::BlockFixture fixture(std::string("tests/golden/models/") + model);
    QuantizedBlock full{fixture.model().block(0), {}};
    QuantizedBlock rounded = fixture.calibrated("{name: rtn, weight: {bits: 3}}", 0);
    QuantizedBlock kept = corrected(fixture, "weight: {bits: 3}");
    QuantizedBlock none = corrected(fixture, "weight: {bits: 3}, share: 0");
    const auto exact = mean_outputs(fixture, full), off = mean_outputs(fixture, rounded);
    const auto mended = mean_outputs(fixture, kept), same = mean_outputs(fixture, none);
    REQUIRE(exact.size() == 7);
    for (const auto& [name, mean] : exact) {
      INFO(model << ", " << name);
      // The project's bound for equal computations in float64.
      CHECK((mended.at(name) - mean).abs().max().item<double>() < 1e-9);
      CHECK((off.at(name) - mean).abs().max().item<double>() > 1e-4);
      CHECK(at::equal(same.at(name), off.at(name)));
    }
    CHECK(at::equal(kept.weights.down.weight, rounded.weights.down.weight));
  }
}

TEST_CASE("tutorial: the share is from 0 to 1") {
  test::BlockFixture fixture("tests/golden/models/llama_mha");
  CHECK_THROWS_WITH(corrected(fixture, "share: 1.5"),
                    Catch::Contains("share: 1.5; expected 0 to 1"));
}
