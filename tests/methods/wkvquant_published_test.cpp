#include "core/calibrate/pipeline.h"
#include "core/device/torch_headers.h"
#include "core/number/quantizer.h"
#include "tests/support/block_fixture.h"
#include "tests/support/tensors.h"

using namespace wkvq;

namespace {

const char* const kBias = "tests/golden/models/llama_bias";

}  // namespace

TEST_CASE("wkvquant as published: the settings of the notes") {
  const auto method = test::method_of("{name: wkvquant_published}");
  const KvOptions& kv = method->kv();
  CHECK((kv.key.bits == 4 && kv.value.bits == 4));
  CHECK((kv.key.form == QuantForm::kMean && kv.value.form == QuantForm::kMean));
  CHECK((kv.key.group_size == -1 && kv.key.group_scope == GroupScope::kHead));
  CHECK((kv.key.before_rope() && !kv.key.ties_pairs() && !kv.value.before_rope()));
  CHECK(kv.view.name() == "past");
}

TEST_CASE("wkvquant as published: equals ours where the switches are set alike, bit for bit") {
  const std::string alike =
      "weight: {bits: 4, group_size: 8}, kv: {bits: 4, form: mean, key: {rope: before, channel: "
      "{tie_pairs: false}}}, loss: {following_blocks: 1}, "
      "training: {epochs: 2}";
  std::vector<at::Tensor> results[2];
  const std::vector<std::string> names{"wkvquant", "wkvquant_published"};
  for (size_t i = 0; i < 2; ++i) {
    test::BlockFixture fixture(kBias);
    const QuantizedBlock block =
        fixture.calibrated(fmt::format("{{name: {}, {}}}", names[i], alike), 0);
    BlockWeights weights = block.weights;
    weights.visit_linears(
        [&](const char*, const Linear& linear) { results[i].push_back(linear.weight); });
    results[i].push_back(forward_block(fixture.model().config(), 0, weights, fixture.model().rope(),
                                       fixture.inputs(0)[0], 0,
                                       attention_of(block.codec, {.mode = ViewMode::kPast})));
    if (i == 0) continue;
    // What the publication leaves open stands in the run file.
    CHECK(std::get<std::string>(fixture.recorder().attributes.at("/calibration/not_stated"))
              .find("learning rates") != std::string::npos);
  }
  REQUIRE(results[0].size() == results[1].size());
  for (size_t i = 0; i < results[0].size(); ++i) CHECK(at::equal(results[0][i], results[1][i]));
}

TEST_CASE("wkvquant as published: channels fold into the key projection and its bias") {
  const at::NoGradGuard no_grad;
  test::BlockFixture fixture(kBias);
  const ModelConfig& model = fixture.model().config();
  const at::Tensor x = fixture.inputs(0)[0];
  const Linear& projection = fixture.model().block(0).key;
  REQUIRE(projection.bias.defined());
  at::manual_seed(41);
  const at::Tensor scale = at::empty({model.kv_heads, model.head_dim}, at::kDouble).uniform_(.5, 4);
  const at::Tensor shift = at::randn({model.kv_heads, model.head_dim}, at::kDouble);
  const KvTensorOptions options =
      test::method_of("{name: wkvquant_published, kv: {bits: 3}}")->kv().key;
  const AttentionInputs in =
      attention_inputs(model, fixture.model().block(0), fixture.model().rope(), x, 0);
  const at::Tensor expected =
      KvTensorCodec(options, ChannelTransform{shift, scale}).fake(in.key_before_rope);

  // Y = X W^T + B; (Y - shift) / scale = X (W / scale)^T + (B - shift) / scale.
  Linear folded = projection;
  folded.weight = projection.weight / scale.flatten().unsqueeze(1);
  folded.bias = (projection.bias - shift.flatten()) / scale.flatten();
  BlockWeights weights = fixture.model().block(0);
  weights.key = folded;
  const AttentionInputs smooth = attention_inputs(model, weights, fixture.model().rope(), x, 0);
  const at::Tensor plain = KvTensorCodec(options, ChannelTransform()).fake(smooth.key_before_rope);
  const at::Tensor unfolded =
      plain * scale.unsqueeze(0).unsqueeze(2) + shift.unsqueeze(0).unsqueeze(2);
  CHECK(test::largest_difference(unfolded, expected) < 1e-9);
  CHECK(test::largest_difference(in.key_before_rope, expected) > 1e-2);  // three bits do something
}

TEST_CASE("exact layers: the cache of blocks that are named stays as it is") {
  const auto method = test::method_of("{name: rtn, kv: {bits: 4, exact_layers: [0, -1]}}");
  ModelConfig model;
  model.layers = 4;
  for (const int64_t layer : {0, 3}) CHECK(method->kv_of(layer, model).identity());
  for (const int64_t layer : {1, 2}) CHECK(method->kv_of(layer, model).key.bits == 4);
  const auto wrong = test::method_of("{name: rtn, kv: {bits: 4, exact_layers: [4]}}");
  REQUIRE_CONFIG_ERROR(check_kv_options(wrong->kv(), wrong->kv().view, model),
                       "exact_layers: 4 of a model of 4 blocks; expected -4 to 3");
  // Of a format too, and by the codec that a method leaves.
  test::BlockFixture fixture(kBias);
  const std::string floats = "{name: rtn, kv: {format: fp8_e4m3, exact_layers: [0]}}";
  CHECK(fixture.calibrated(floats, 0).codec.key.identity());
  CHECK_FALSE(fixture.calibrated(floats, 1).codec.key.identity());
  REQUIRE_CONFIG_ERROR(
      test::method_of("{name: mixed, kv: {bits: 4, exact_layers: [0]}}")->check(model),
      "expected a rule");
}
