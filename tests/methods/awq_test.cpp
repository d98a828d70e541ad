#include "core/device/torch_headers.h"
#include "core/number/quantizer.h"
#include "methods/awq/clip_search.h"
#include "methods/awq/scale_search.h"
#include "methods/common/observe.h"
#include "tests/support/block_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/naive_attention.h"

using namespace wkvq;
using test::random_tensor;

namespace {

const std::vector<Site> kSites{Site::kInputNorm, Site::kPostNorm, Site::kUpDown,
                               Site::kValueOutput};
const QuantSpec kThreeBits{.bits = 3, .group_size = 16};

std::vector<ScaleChoice> searched(test::BlockFixture& fixture, QuantizedBlock& block) {
  return search_scales(fixture.context(0, block), kSites, kThreeBits, 20);
}

}  // namespace

TEST_CASE("awq: ratio 0 alone is round to nearest, bit for bit") {
  test::BlockFixture fixture("tests/golden/models/llama_gqa_head_dim");
  const char* const weight = "weight: {bits: 3, group_size: 16}";
  QuantizedBlock nearest = fixture.calibrated(fmt::format("{{name: rtn, {}}}", weight), 0);
  QuantizedBlock awq = fixture.calibrated(
      fmt::format("{{name: awq, {}, ratios: 1, clip: false, shared_value_output: true}}", weight),
      0);
  std::map<std::string, at::Tensor> expected;
  nearest.weights.visit_linears([&](const char* name, Linear& l) { expected[name] = l.weight; });
  awq.weights.visit_linears([&](const char* name, Linear& l) {
    INFO(name);
    CHECK(at::equal(l.weight, expected.at(name)));
  });
}

TEST_CASE("awq: scales have max times min 1, and 1 where nothing comes in") {
  const at::Tensor mean = at::tensor({0.0, 0.5, 2.0, 8.0}, at::kDouble);
  const at::Tensor s = awq_scale(mean, 0.5);
  // sqrt: 0.707, 1.414, 2.828, over sqrt(2.828 * 0.707).
  CHECK(at::allclose(s, at::tensor({1.0, 0.5, 1.0, 2.0}, at::kDouble), 1e-12));
  CHECK(at::equal(awq_scale(mean, 0), at::ones({4}, at::kDouble)));
  CHECK(at::equal(awq_scale(at::zeros({4}, at::kDouble), 0.5), at::ones({4}, at::kDouble)));
}

TEST_CASE("awq: scaling alone leaves the block as it is, float64") {
  for (const char* model :
       {"llama_mha", "llama_gqa_head_dim", "llama_mqa", "llama_bias", "qwen3"}) {
    test::BlockFixture fixture(std::string("tests/golden/models/") + model);
    QuantizedBlock block{fixture.model().block(0), {}};
    const std::vector<ScaleChoice> choices = searched(fixture, block);
    for (size_t i = 0; i < kSites.size(); ++i) {
      const at::Tensor& s = choices[i].scale;
      CHECK((s.max() * s.min()).item<double>() == Approx(1).epsilon(1e-12));
      scaling_site(kSites[i], fixture.model().config(), block.weights)
          .apply(awq_scale(random_tensor(s.sizes(), 9).abs() + 0.1, 0.9));
    }
    INFO(model);
    // The project's bound for equal computations in float64.
    REQUIRE(fixture.output_error(block.weights, 0) < 1e-9);
  }
}

TEST_CASE("awq: losses of the search are the module's output errors, and the best is taken") {
  test::BlockFixture fixture("tests/golden/models/llama_gqa_head_dim");
  QuantizedBlock block{fixture.model().block(0), {}};
  const std::vector<ScaleChoice> choices = searched(fixture, block);
  std::map<std::string, std::vector<at::Tensor>> inputs;
  const BlockContext context = fixture.context(0, block);
  observe_inputs(context, block.weights, context.inputs_full(),
                 [&](const std::string& name, const at::Tensor& x) { inputs[name].push_back(x); });
  for (const ScaleChoice& choice : choices) {
    const double best = choice.loss[static_cast<size_t>(std::lround(choice.ratio * 20))];
    REQUIRE(best == *std::min_element(choice.loss.begin(), choice.loss.end()));
  }
  // By hand: down_proj, and o_proj whose scales are means over the two query heads of a kv head.
  const auto by_hand = [&](const Linear& linear, const std::string& name, double ratio) {
    const at::Tensor x = at::cat(inputs.at(name), 0);
    at::Tensor mean = x.abs().mean(0);
    if (name == "o_proj") mean = mean.view({2, 2, 12}).mean(1).flatten();
    at::Tensor s = awq_scale(mean, ratio);
    if (name == "o_proj") s = s.view({2, 12}).repeat_interleave(2, 0).flatten();
    const at::Tensor rounded = fake_quantize((linear.weight * s).contiguous(), kThreeBits) / s;
    return at::matmul(x, (rounded - linear.weight).t()).square().mean().item<double>();
  };
  for (const size_t step : {size_t{0}, size_t{7}, size_t{19}}) {
    const double ratio = static_cast<double>(step) / 20;
    CHECK(choices[2].loss[step] ==
          Approx(by_hand(block.weights.down, "down_proj", ratio)).epsilon(1e-9));
    CHECK(choices[3].loss[step] ==
          Approx(by_hand(block.weights.output, "o_proj", ratio)).epsilon(1e-9));
  }
  // The MLP: its change behind the residual is the module's own. Attention up to o_proj.
  BlockWeights mlp = block.weights, attention = block.weights;
  for (Linear* linear : {&mlp.gate, &mlp.up, &attention.query, &attention.key, &attention.value})
    linear->weight = fake_quantize(linear->weight, kThreeBits);
  const auto attended = [&](const BlockWeights& weights, const at::Tensor& hidden) {
    const at::Tensor heads =
        test::naive_attention(attention_inputs(context.model, weights, context.rope, hidden, 0));
    return weights.output(heads.transpose(1, 2).flatten(2));
  };
  double mlp_error = 0, attention_error = 0, count = 0;
  for (const at::Tensor& hidden : fixture.inputs(0)) {
    mlp_error += (fixture.output(mlp, 0, hidden) - fixture.output(block.weights, 0, hidden))
                     .square()
                     .sum()
                     .item<double>();
    attention_error += (attended(attention, hidden) - attended(block.weights, hidden))
                           .square()
                           .sum()
                           .item<double>();
    count += static_cast<double>(hidden.numel());
  }
  CHECK(choices[1].loss[0] == Approx(mlp_error / count).epsilon(1e-9));
  CHECK(choices[0].loss[0] == Approx(attention_error / count).epsilon(1e-9));
}

TEST_CASE("awq: a salient channel gets a scale above the median") {
  test::BlockFixture fixture("tests/golden/models/llama_mha");
  QuantizedBlock block{fixture.model().block(0), {}};
  block.weights.post_norm = block.weights.post_norm.clone();
  block.weights.post_norm[3].mul_(100);
  const ScaleChoice choice = searched(fixture, block)[1];
  CHECK(choice.ratio > 0);
  CHECK(choice.scale[3].item<double>() > 2 * choice.scale.median().item<double>());
}

TEST_CASE("awq: clipping takes the bound that keeps the group's partial output") {
  const at::Tensor x = random_tensor({40, 20}, 1), weight = random_tensor({6, 20}, 2);
  const QuantSpec spec{.bits = 2, .group_size = 8};
  std::vector<at::Tensor> moments;
  for (const auto& [first, n] : {std::pair{0, 8}, {8, 8}, {16, 4}})
    moments.push_back(at::matmul(x.narrow(1, first, n).t(), x.narrow(1, first, n)));
  const at::Tensor clipped = clip_search(weight, moments, spec);
  bool any_clipped = false;
  for (const auto& [first, n] : {std::pair{0, 8}, {8, 8}, {16, 4}}) {
    for (int64_t row = 0; row < 6; ++row) {
      const at::Tensor w = weight[row].narrow(0, first, n), part = x.narrow(1, first, n);
      at::Tensor best;
      double best_loss = INFINITY;
      for (int step = 0; step < 10; ++step) {
        const double m = w.abs().max().item<double>() * (1 - step / 20.0);
        const at::Tensor candidate = w.clamp(-m, m);
        const at::Tensor rounded = fake_quantize(candidate, {.bits = 2, .group_size = -1});
        const double loss = at::mv(part, rounded - w).square().mean().item<double>();
        if (loss < best_loss) {
          best_loss = loss;
          best = candidate;
        }
      }
      any_clipped |= !at::equal(best, w);
      REQUIRE(at::allclose(clipped[row].narrow(0, first, n), best, 1e-12));
    }
  }
  REQUIRE(any_clipped);
  // Weights on their own grid lose nothing unclipped.
  const at::Tensor uniform = (at::arange(20, at::kDouble) - 8).fmod(4).expand({3, 20}).contiguous();
  CHECK(at::equal(clip_search(uniform, moments, {.bits = 4, .group_size = 8}), uniform));
}

TEST_CASE("awq: queries and keys stay unclipped, and the moments are those of the inputs") {
  test::BlockFixture fixture("tests/golden/models/llama_mha");
  const char* const weight = "weight: {bits: 2, group_size: 20}";  // 32 and 48 end in short groups
  QuantizedBlock nearest = fixture.calibrated(fmt::format("{{name: rtn, {}}}", weight), 0);
  QuantizedBlock clipped =
      fixture.calibrated(fmt::format("{{name: awq, {}, scale: false}}", weight), 0);
  CHECK(at::equal(clipped.weights.query.weight, nearest.weights.query.weight));
  CHECK(at::equal(clipped.weights.key.weight, nearest.weights.key.weight));
  CHECK(!at::equal(clipped.weights.value.weight, nearest.weights.value.weight));
  CHECK(!at::equal(clipped.weights.down.weight, nearest.weights.down.weight));

  QuantizedBlock block{fixture.model().block(0), {}};
  const BlockContext context = fixture.context(0, block);
  std::vector<at::Tensor> inputs;
  observe_inputs(context, block.weights, context.inputs_full(),
                 [&](const std::string& name, const at::Tensor& x) {
                   if (name == "down_proj") inputs.push_back(x);
                 });
  const at::Tensor last = at::cat(inputs, 0).narrow(1, 40, 8);
  const std::vector<at::Tensor> moments = group_moments(context, {"down_proj"}, 20).at("down_proj");
  REQUIRE(moments.size() == 3);
  CHECK(at::allclose(moments[2], at::matmul(last.t(), last), 1e-9));
}

TEST_CASE("awq: less output error than rounding to nearest, on average over layers") {
  const at::NoGradGuard no_grad;
  test::BlockFixture fixture("datasets/mini", at::kFloat, 96);
  double nearest = 0, scaled = 0, both = 0;
  for (int64_t layer = 0; layer < 3; ++layer) {
    const auto error = [&](const std::string& method) {
      const std::string text = fmt::format("{{{}, weight: {{bits: 3, group_size: 64}}}}", method);
      return fixture.output_error(fixture.calibrated(text, layer).weights, layer);
    };
    nearest += error("name: rtn") / 3;
    scaled += error("name: awq, clip: false, shared_value_output: true") / 3;
    both += error("name: awq") / 3;
  }
  INFO("nearest " << nearest << ", scaled " << scaled << ", scaled and clipped " << both);
  // Seen: 0.185 and 0.211 against 0.221; this small model has no channels of large activations.
  CHECK(scaled < nearest);
  CHECK(both < 0.9 * nearest);
  REQUIRE_CONFIG_ERROR(test::method_of("{name: awq, ratios: 0}"), "expected at least 1");
  REQUIRE_CONFIG_ERROR(test::method_of("{name: awq, weight: {bits: 4, per_tensor: true}}"),
                       "per_tensor");
}
