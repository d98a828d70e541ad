#include "core/device/torch_headers.h"
#include "methods/common/observe.h"
#include "methods/common/scaling_site.h"
#include "tests/support/block_fixture.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

const char* const kAllSites =
    "sites: {input_norm: true, post_norm: true, value_output: true, up_down: true}";
const std::vector<Site> kSites{Site::kInputNorm, Site::kPostNorm, Site::kValueOutput,
                               Site::kUpDown};

/// Largest magnitude of every input of each linear, [in], over the calibration text.
std::map<std::string, at::Tensor> largest_inputs(test::BlockFixture& fixture,
                                                 QuantizedBlock& block) {
  std::map<std::string, at::Tensor> largest;
  const BlockContext context = fixture.context(0, block);
  observe_inputs(context, block.weights, context.inputs_full(),
                 [&](const std::string& linear, const at::Tensor& x) {
                   const at::Tensor here = x.abs().amax(0);
                   at::Tensor& all = largest[linear];
                   all = all.defined() ? at::maximum(all, here) : here;
                 });
  return largest;
}

/// Per channel: largest input and largest weight of a site.
std::pair<at::Tensor, at::Tensor> ranges(test::BlockFixture& fixture, QuantizedBlock& block,
                                         Site which) {
  const ScalingSite site = scaling_site(which, fixture.model().config(), block.weights);
  const auto inputs = largest_inputs(fixture, block);
  at::Tensor weight = site.linears[0]->weight.abs().amax(0);
  for (const Linear* linear : site.linears)
    weight = at::maximum(weight, linear->weight.abs().amax(0));
  return {site.by_channel(inputs.at(site.input)).amax(1).flatten(),
          site.by_channel(weight).amax(1).flatten()};
}

double farthest(const at::Tensor& x, const at::Tensor& y) {
  return (x / y - 1).abs().max().item<double>();
}

}  // namespace

TEST_CASE("smoothquant: without quantization the block computes the same, float64") {
  // MHA, GQA, MQA, biases on every linear, norms of queries and keys.
  for (const char* model :
       {"llama_mha", "llama_gqa_head_dim", "llama_mqa", "llama_bias", "qwen2_tied", "qwen3"}) {
    test::BlockFixture fixture(std::string("tests/golden/models/") + model);
    for (const char* alpha : {"0", "0.3", "0.5", "1"}) {
      const QuantizedBlock block = fixture.calibrated(
          fmt::format("{{name: smoothquant, alpha: {}, {}}}", alpha, kAllSites), 1);
      INFO(model << ", alpha " << alpha);
      // The project's bound for equal computations in float64.
      REQUIRE(fixture.output_error(block.weights, 1) < 1e-9);
      REQUIRE(!at::equal(block.weights.query.weight, fixture.model().block(1).query.weight));
      REQUIRE(!at::equal(block.weights.down.weight, fixture.model().block(1).down.weight));
    }
  }
}

TEST_CASE("smoothquant: alpha 0, 1/2 and 1 give the ranges they stand for") {
  test::BlockFixture fixture("tests/golden/models/llama_gqa_head_dim");
  for (const Site site : kSites) {
    QuantizedBlock weights_flat =
        fixture.calibrated(fmt::format("{{name: smoothquant, alpha: 0, {}}}", kAllSites), 0);
    QuantizedBlock balanced =
        fixture.calibrated(fmt::format("{{name: smoothquant, alpha: 0.5, {}}}", kAllSites), 0);
    QuantizedBlock inputs_flat =
        fixture.calibrated(fmt::format("{{name: smoothquant, alpha: 1, {}}}", kAllSites), 0);
    const at::Tensor one = at::ones({}, at::kDouble);
    // Quotients of float64 numbers near 1; sums through a block in front of them.
    CHECK(farthest(ranges(fixture, weights_flat, site).second, one) < 1e-9);
    CHECK(farthest(ranges(fixture, inputs_flat, site).first, one) < 1e-9);
    const auto [inputs, weights] = ranges(fixture, balanced, site);
    CHECK(farthest(inputs, weights) < 1e-9);
  }
}

TEST_CASE("smoothquant: switches choose the sites, and defaults are the reference's two") {
  test::BlockFixture fixture("tests/golden/models/llama_mha");
  fixture.calibrated("{name: smoothquant}", 1);
  const auto& columns = fixture.recorder().columns;
  REQUIRE(columns.contains("/calibration/block_01/input_norm/scale"));
  REQUIRE(columns.contains("/calibration/block_01/post_norm/scale"));
  REQUIRE(!columns.contains("/calibration/block_01/value_output/scale"));
  const QuantizedBlock none =
      fixture.calibrated("{name: smoothquant, sites: {input_norm: false, post_norm: false}}", 0);
  REQUIRE(is_unchanged(fixture.model().block(0), none.weights));
  REQUIRE_CONFIG_ERROR(test::method_of("{name: smoothquant, alpha: 1.2}"), "expected 0 to 1");
}

TEST_CASE("smoothquant: a channel that is never used keeps its scale") {
  test::BlockFixture fixture("tests/golden/models/llama_mha");
  QuantizedBlock block{fixture.model().block(0), {}};
  block.weights.input_norm = block.weights.input_norm.clone();
  block.weights.input_norm[5] = 0;
  const at::Tensor before = block.weights.query.weight;
  fixture.calibrate(*test::method_of("{name: smoothquant}"), 0, block);
  REQUIRE(at::equal(block.weights.query.weight.select(1, 5), before.select(1, 5)));
  REQUIRE(!at::equal(block.weights.query.weight.select(1, 4), before.select(1, 4)));
}

TEST_CASE("smoothquant: an outlier channel costs less once its range is shared") {
  test::BlockFixture fixture("tests/golden/models/llama_mha");
  const auto outlier = [&](const std::string& method) {
    QuantizedBlock block = fixture.with_outlier();
    fixture.calibrate(*test::method_of(method), 0, block);
    return fixture.output_error(block.weights, 0);
  };
  const double nearest = outlier("{name: rtn, weight: {bits: 8}, activation: {bits: 6}}");
  const double smooth = outlier("{name: smoothquant, weight: {bits: 8}, activation: {bits: 6}}");
  INFO("nearest " << nearest << ", smoothed " << smooth);
  // Seen: 0.074 against 0.415.
  CHECK(smooth < 0.3 * nearest);
}
