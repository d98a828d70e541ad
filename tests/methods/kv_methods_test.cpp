#include "core/device/torch_headers.h"
#include "core/number/codebook.h"
#include "methods/common/learned_block.h"
#include "tests/support/two_paths.h"

using namespace wkvq;
using test::largest;
using test::Run;
using test::run;

namespace {

const char* const kGqa = "tests/golden/models/llama_gqa_head_dim";
const char* const kMqa = "tests/golden/models/llama_mqa";

at::Tensor recorded(test::BlockFixture& fixture, const std::string& name) {
  const Array& array = fixture.recorder().arrays.at(name);
  return at::tensor(at::ArrayRef<double>(array.values), at::kDouble).view(array.shape);
}

}  // namespace

TEST_CASE("kv methods: one pass through a model equals decoding, alone and with weight methods") {
  // Keys before RoPE of the first block depend on their token alone, and most of the 64 tokens are
  // in the calibration text: thresholds and codebooks are fitted to the very values that they
  // judge.
  struct Case {
    const char *model, *method;
  };
  for (const auto& [model, method] : std::vector<Case>{
           {kGqa, "{name: kvquant, kv: {bits: 2, outliers: 0.1}}"},
           {kMqa, "{name: kvquant, weight: {bits: 4, group_size: 16}, kv: {view: {mode: all}}}"},
           {kGqa, "{name: kivi, kv: {key: {group_size: 4}, view: {window: 8}}}"},
           {kMqa,
            "{name: rotation, rounding: gptq, weight: {bits: 4, group_size: 16}, "
            "kv: {bits: 4, rotate: hadamard}}"},
           {kGqa,
            "{name: wkvquant, weight: {bits: 4, group_size: 16}, training: {epochs: 1}, "
            "kv: {key: {axis: time, group_size: 4}, view: {mode: kivi, window: 4}}}"},
           {kGqa,
            "{name: gptq, weight: {bits: 4, group_size: 16}, kv: {bits: 3, grid: nuq, "
            "outliers: 0.1, key: {rope: before, range: static}}}"},
           {kGqa,
            "{name: omniquant, weight: {bits: 4, group_size: 16}, training: {epochs: 1}, "
            "kv: {bits: 3, grid: nuq, fit_weights: fisher, key: {rope: before, range: "
            "static}}}"}}) {
    test::BlockFixture fixture(model);
    const Run result = run(fixture, method, 20);
    INFO(method << " on " << model);
    // The project's bound for equal views in float64.
    CHECK(largest(result.one_pass - result.decoded) < 1e-9);
    CHECK(largest(result.one_pass - result.full) > 1e-4);
    const double error =
        ((result.one_pass - result.full).square().sum() / result.full.square().sum())
            .sqrt()
            .item<double>();
    CHECK(error < 0.5);  // noise alone would give sqrt(2)
  }
}

TEST_CASE("kvquant: one pass equals decoding on the calibration text itself") {
  test::BlockFixture fixture(kGqa);
  const at::Tensor tokens = fixture.chain().tokens()[0].narrow(1, 0, 20);
  const auto of = [&](const std::string& options) {
    return run(fixture, "{name: kvquant, kv: {bits: 2, outliers: 0.2" + options + "}}", tokens);
  };
  const Run kept = of(""), without = of(", key: {outliers: 0}");
  // The project's bound for equal views in float64.
  CHECK(largest(kept.one_pass - kept.decoded) < 1e-9);
  const auto error = [](const Run& result) {
    return (result.one_pass - result.full).square().mean().sqrt().item<double>();
  };
  CHECK(error(kept) < error(without));
}

TEST_CASE("kvquant: q_norm rescales the codebook that was fitted, and is read") {
  const auto keys = [](const std::string& kv, test::BlockFixture& fixture) {
    const Run result = run(fixture, "{name: kvquant, kv: {bits: 2, outliers: 0, " + kv + "}}", 20);
    // The project's bound for equal views in float64.
    CHECK(largest(result.one_pass - result.decoded) < 1e-9);
    return result;
  };
  test::BlockFixture with(kGqa), without(kGqa);
  const Run normed = keys("q_norm: true", with), plain = keys("q_norm: false", without);
  CHECK(largest(normed.one_pass - plain.one_pass) > 1e-4);
  const std::string group = "/calibration/block_00/key/";
  const at::Tensor fitted = recorded(with, group + "codebook");
  CHECK(at::equal(fitted, recorded(without, group + "codebook")));
  CHECK(!without.recorder().arrays.contains(group + "read_codebook"));
  // Means of segments are drawn together: reading stretches them around one point.
  const at::Tensor read = recorded(with, group + "read_codebook");
  const at::Tensor factor = read.diff() / fitted.diff();
  CHECK(largest(factor - factor[0]) < 1e-9);
  CHECK(factor[0].item<double>() > 1.01);
}

TEST_CASE("kvquant: ranges and codebook are those of the block's own keys, without the sink") {
  test::BlockFixture fixture(kGqa);
  const QuantizedBlock block =
      fixture.calibrated("{name: kvquant, kv: {fit_weights: none, outliers: 0}}", 1);
  const test::MemoryRecorder& recorder = fixture.recorder();
  std::vector<at::Tensor> keys;
  for (const at::Tensor& hidden : fixture.inputs(1)) {
    const AttentionInputs in = attention_inputs(fixture.model().config(), block.weights,
                                                fixture.model().rope(), hidden, 0);
    const int64_t seq = hidden.size(1);
    keys.push_back(in.key_before_rope.narrow(2, 1, seq - 1).transpose(1, 2).flatten(0, 1));
  }
  const at::Tensor x = at::cat(keys);  // [tokens, kv_heads, head_dim]
  const std::string group = "/calibration/block_01/key/";
  CHECK(at::equal(recorded(fixture, group + "low"), x.amin(0)));
  CHECK(at::equal(recorded(fixture, group + "high"), x.amax(0)));
  CHECK(std::get<double>(recorder.attributes.at(group + "outlier_share")) == 0);
  const at::Tensor middle = (x.amax(0) + x.amin(0)) / 2, half = (x.amax(0) - x.amin(0)) / 2;
  CHECK(largest(recorded(fixture, group + "codebook") -
                fit_codebook(((x - middle) / half).flatten(), {}, 16)) < 1e-12);
  CHECK(recorder.arrays.contains("/calibration/block_01/value/codebook"));
  CHECK(!recorder.arrays.contains("/calibration/block_01/value/low"));
}

TEST_CASE("kvquant: Fisher weights fit another codebook, outliers leave it") {
  const auto codebook = [](const std::string& kv) {
    test::BlockFixture fixture(kGqa);
    fixture.calibrated("{name: kvquant, kv: {bits: 3, " + kv + "}}", 1);
    return std::pair{recorded(fixture, "/calibration/block_01/key/codebook"),
                     std::get<double>(fixture.recorder().attributes.at(
                         "/calibration/block_01/key/outlier_share"))};
  };
  const auto [fisher, few] = codebook("outliers: 0");
  const auto [plain, none] = codebook("outliers: 0, fit_weights: none");
  CHECK(largest(fisher - plain) > 1e-3);
  CHECK((few == 0 && none == 0));
  // 4 windows of 23 tokens: 5 of 92 at either end.
  const auto [inliers, share] = codebook("outliers: 0.1");
  CHECK(share == Approx(10.0 / 92));
  CHECK(largest(inliers - fisher) > 1e-3);
  CHECK(largest(inliers) <= 1 + 1e-12);
}

TEST_CASE("kvquant: more of each ingredient, less error of the cache") {
  const auto error = [](const std::string& kv) {
    test::BlockFixture fixture(kGqa);
    const Run result = run(fixture, "{name: kvquant, kv: {bits: 3, " + kv + "}}", 20);
    return (result.one_pass - result.full).square().mean().sqrt().item<double>();
  };
  const double plain = error("outliers: 0, grid: uniform, fit_weights: none");
  CHECK(error("outliers: 0.2, grid: uniform, fit_weights: none") < plain);
  CHECK(error("outliers: 0.2") < plain);
}

TEST_CASE("kivi: published defaults, and a text shorter than the window is in full precision") {
  const std::unique_ptr<Method> method = test::method_of("{name: kivi}");
  const KvOptions& kv = method->kv();
  CHECK((kv.key.bits == 2 && kv.key.axis == KvAxis::kTime && kv.key.group_size == 32));
  CHECK((kv.value.bits == 2 && kv.value.axis == KvAxis::kToken));
  CHECK((kv.key.form == QuantForm::kMinimum && kv.value.form == QuantForm::kMinimum));
  CHECK(kv.view.name() == "kivi-w128");
  CHECK(method->calibration_needs() == CalibrationNeeds::kNone);
  test::BlockFixture fixture(kGqa);
  const Run result = run(fixture, "{name: kivi}", 20);
  CHECK(largest(result.one_pass - result.full) < 1e-12);  // the order of sums

  // Channels that are constant in time, tokens whose channels are equal: exact with 2 bits.
  const at::Tensor key = test::random_tensor({1, 2, 1, 12}, 1).expand({1, 2, 32, 12});
  CHECK(at::equal(KvTensorCodec(kv.key, ChannelTransform()).fake(key), key));
  const at::Tensor value = test::random_tensor({1, 2, 32, 1}, 2).expand({1, 2, 32, 12});
  CHECK(at::equal(KvTensorCodec(kv.value, ChannelTransform()).fake(value), value));
}

TEST_CASE("kivi: values in groups along time are much worse where attention is sparse") {
  // KIVI, section 3.2: a token's error stays its own if groups lie within it; along time one large
  // token that nobody attends to widens the range of all its neighbours.
  const int64_t tokens = 32, dim = 32;
  const at::Tensor key = 30 * at::eye(tokens, at::kDouble).view({1, 1, tokens, dim});
  at::Tensor value = test::random_tensor({1, 1, tokens, dim}, 5);
  value.select(2, 9).mul_(20);
  const at::Tensor others = (at::arange(tokens, at::kLong) != 9).nonzero().squeeze(1);
  const auto error = [&](KvAxis axis) {
    const KvTensorOptions options{.bits = 2, .group_size = 32, .axis = axis};
    const at::Tensor value_hat = KvTensorCodec(options, ChannelTransform()).fake(value);
    // Query t attends to token t alone: other weights are exp(-30 * 30 / sqrt(32)).
    const at::Tensor read =
        masked_attention(key, {key, value, key, value_hat}, {.mode = ViewMode::kAll}, 0);
    return (read - value).index_select(2, others).square().mean().sqrt().item<double>();
  };
  // Steps by hand: 2 bits over 4 standard deviations, 4 / 3, against 2 bits over about 20, 20 / 3.
  CHECK(error(KvAxis::kToken) < 0.5);
  CHECK(error(KvAxis::kTime) > 3 * error(KvAxis::kToken));
}

TEST_CASE("kv options: fields for both go over a method's defaults of either, and views by mode") {
  const auto kv = [](const std::string& text) {
    return test::method_of("{name: kvquant, kv: " + text + "}")->kv();
  };
  const KvOptions bits = kv("{bits: 3}");
  CHECK((bits.key.bits == 3 && bits.value.bits == 3));
  CHECK((bits.key.range == KvRange::kStatic && bits.value.range == KvRange::kDynamic));
  CHECK(bits.view.name() == "past-s1");
  CHECK(kv("{range: dynamic}").key.range == KvRange::kDynamic);
  CHECK(kv("{range: dynamic, key: {range: static}}").key.range == KvRange::kStatic);
  CHECK(kv("{view: {mode: all}}").view.name() == "all");
  CHECK(kv("{view: {window: 8}}").view.name() == "past-w8-s1");
}

TEST_CASE("learned channels before RoPE: one scale a pair, gradients reach scale and shift") {
  test::BlockFixture fixture(kGqa);
  QuantizedBlock full{fixture.model().block(0), {}};
  const BlockContext context = fixture.context(0, full);
  LearnedOptions options;
  options.learn.clip = false;
  options.kv.key = {.bits = 3, .rope = KeyPoint::kBeforeRope};
  options.kv.key.channel = {ChannelMode::kLearned, ChannelMode::kLearned, 0.5};
  LearnedBlock block(context, options);
  const ModelConfig& model = fixture.model().config();
  const at::Tensor scale = block.parameters().at("key.log_scale");
  REQUIRE(scale.sizes() == at::IntArrayRef({model.kv_heads, model.head_dim / 2}));
  REQUIRE(block.parameters().at("key.shift").size(1) == model.head_dim);

  const at::AutoGradMode with_gradients(true);
  const QuantizedBlock built = block.build();
  const at::Tensor out =
      forward_block(model, 0, built.weights, fixture.model().rope(), fixture.inputs(0)[0], 0,
                    attention_of(built.codec, {.mode = ViewMode::kPast}));
  const auto gradients =
      torch::autograd::grad({out.square().sum()}, {scale, block.parameters().at("key.shift")});
  for (const at::Tensor& g : gradients) CHECK((g != 0).to(at::kDouble).mean().item<double>() > 0.9);
}

TEST_CASE("learned transformation and static ranges are refused together") {
  test::BlockFixture fixture(kGqa);
  const auto method =
      test::method_of("{name: omniquant, learn_transform: true, kv: {bits: 4, range: static}}");
  REQUIRE_CONFIG_ERROR(method->check(fixture.model().config()), "expected range: dynamic");
}
