#include "core/base/error.h"
#include "core/calibrate/packed_block.h"
#include "core/calibrate/pipeline.h"
#include "core/device/torch_headers.h"
#include "core/number/packed_weight.h"
#include "methods/gptq/gptq_solver.h"
#include "tests/support/block_fixture.h"
#include "tests/support/catch.h"

using namespace wkvq;
using Catch::Matchers::Contains;

// What methods round stays as codes where codes are asked for.
namespace {

struct Both {
  std::vector<QuantizedBlock> simulated, packed;
  at::Tensor plain;   ///< leaving the last block without packing
  at::Tensor beside;  ///< the same of a pass that packed
};

/// The blocks of `model` by the method that `text` configures, packed or not.
Both quantized(const std::string& text, const std::string& model, at::ScalarType dtype) {
  const at::NoGradGuard no_grad;
  const std::unique_ptr<Method> method = test::method_of(text);
  Both both;
  for (const bool pack : {false, true}) {
    test::BlockFixture fixture("tests/golden/models/" + model, dtype);
    method->check_packable(fixture.model().config());
    const at::Tensor tokens = (at::arange(40, at::kLong) * 11 + 3).fmod(64).view({2, 20});
    BlockPass pass{.streams = {{.batches = {{fixture.model().embed(tokens), method->kv().view}}}},
                   .calibration = &fixture.chain(),
                   .keep_blocks = true,
                   .keep_packed = pack};
    const auto fresh = test::method_of(text);
    run_blocks(fixture.model(), *fresh, pass, fixture.recorder());
    both.packed = pass.packed_blocks;
    (pack ? both.beside : both.plain) = pass.streams[0].batches[0].hidden;
    if (!pack) both.simulated = pass.blocks;
  }
  return both;
}

/// Options under which every method keeps its weights on a grid of the model's own basis.
std::string options_of(const std::string& name) {
  return name == "rotation" ? ", residual: false, values: false" : "";
}

/// The methods, some of them in more than one way.
std::vector<std::string> configurations(const std::string& weight) {
  std::vector<std::string> all;
  for (const std::string& name : method_names())
    // HQQ moves real offsets, and refuses a form without them.
    if (name != "hqq" || weight.find("symmetric") == std::string::npos)
      all.push_back(fmt::format("{{name: {}, weight: {{{}}}{}}}", name, weight, options_of(name)));
  for (const std::string more :
       {"name: gptq, act_order: true, static_groups: true", "name: gptq, block_size: 5",
        "name: awq, clip: false", "name: omniquant, learn_clip: false",
        "name: mixed, rounding: gptq", "name: mixed, rules: [{match: '*/v_proj', bits: 3}]",
        "name: rotation, residual: false, values: false, down: true, activation: {bits: 8}"})
    all.push_back(fmt::format("{{{}, weight: {{{}}}}}", more, weight));
  return all;
}

/// Each linear of `packed` decodes to the weight of `simulated` bit for bit.
void require_equal(std::vector<QuantizedBlock>& simulated, std::vector<QuantizedBlock>& packed,
                   at::ScalarType dtype) {
  REQUIRE(packed.size() == simulated.size());
  for (size_t layer = 0; layer < packed.size(); ++layer) {
    std::map<std::string, at::Tensor> expected;
    simulated[layer].weights.visit_linears([&](const char* name, Linear& linear) {
      REQUIRE(!linear.codes);
      REQUIRE(!linear.packed);
      expected[name] = linear.weight;
    });
    packed[layer].weights.visit_linears([&](const char* name, Linear& linear) {
      INFO("block " << layer << ", " << name);
      REQUIRE(linear.packed);
      REQUIRE(!linear.codes);
      REQUIRE(!linear.weight.defined());
      REQUIRE(at::equal(linear.packed->decode().to(dtype), expected.at(name)));
    });
  }
}

}  // namespace

TEST_CASE("packing: what every method rounds decodes from its codes, bit for bit") {
  // Inputs of 32 and 48: a whole group and one of 16. Keys and values do not matter here.
  for (const std::string weight :
       {"bits: 4, group_size: 32", "bits: 3, group_size: -1, form: symmetric",
        "bits: 2, group_size: 32, form: minimum, scale_dtype: float16",
        "bits: 8, group_size: 32, range: raw, scale_dtype: bfloat16"})
    for (const std::string& text : configurations(weight))
      for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
        INFO(text << ", " << toString(dtype));
        Both both = quantized(text, "llama_bias", dtype);
        require_equal(both.simulated, both.packed, dtype);
        // Keeping codes changes nothing of what is simulated.
        REQUIRE(at::equal(both.plain, both.beside));
      }
}

TEST_CASE("packing: linears left in full precision keep their weights") {
  for (const std::string name : {"rtn", "gptq", "wkvquant"}) {
    Both both =
        quantized(fmt::format("{{name: {}, weight: {{bits: 16}}}}", name), "llama_mqa", at::kFloat);
    for (size_t layer = 0; layer < both.packed.size(); ++layer)
      both.packed[layer].weights.visit_linears([](const char*, Linear& linear) {
        REQUIRE(!linear.packed);
        REQUIRE(linear.weight.defined());
      });
  }
  Both both = quantized(
      "{name: mixed, weight: {bits: 4, group_size: 32}, rules: [{match: '*/up_proj', bits: 16}]}",
      "llama_mqa", at::kFloat);
  both.packed[1].weights.visit_linears([](const char* name, Linear& linear) {
    REQUIRE((linear.packed == nullptr) == (std::string(name) == "up_proj"));
  });
}

TEST_CASE("packing: a packed block computes what the simulated one does") {
  const at::NoGradGuard no_grad;
  const std::string text =
      "{name: wkvquant, weight: {bits: 4, group_size: 32}, activation: {bits: 8}}";
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    Both both = quantized(text, "llama_bias", dtype);
    test::BlockFixture fixture("tests/golden/models/llama_bias", dtype);
    // 40 rows take decoded parts of the weight to the library's product, 3 the packed product.
    for (const int64_t rows : {40, 3}) {
      const at::Tensor x = test::random_tensor({1, rows, 32}, 4, dtype);
      at::Tensor expected = x, got = x;
      for (size_t layer = 0; layer < both.packed.size(); ++layer) {
        const auto at_layer = static_cast<int64_t>(layer);
        expected = fixture.output(both.simulated[layer].weights, at_layer, expected);
        got = fixture.output(both.packed[layer].weights, at_layer, got);
      }
      // Float32: sums of 48 in another order, twice through a block. bfloat16: weights that are
      // rounded to 8 bits when simulated and not when packed; codes of inputs near a boundary fall
      // to the other side, a step of 1/255 of the range.
      const double tolerance = dtype == at::kFloat ? 1e-5 : 0.02;
      const double error =
          ((got - expected).to(at::kDouble).norm() / expected.to(at::kDouble).norm())
              .item<double>();
      INFO(toString(dtype) << ", " << rows << " rows: " << error);
      CHECK(error < tolerance);
    }
  }
}

TEST_CASE("packing: held bytes of a block, by hand") {
  Both both = quantized("{name: rtn, weight: {bits: 4, group_size: 32, scale_dtype: float16}}",
                        "llama_mqa", at::kFloat);
  test::BlockFixture fixture("tests/golden/models/llama_mqa");
  const ModelConfig& m = fixture.model().config();
  const auto padded = [](int64_t n, int64_t step) { return (n + step - 1) / step * step; };
  int64_t expected = 2 * m.hidden_size * 4, full = expected;
  const auto add = [&](int64_t out, int64_t in, int64_t times) {
    // Codes of half a byte in panels of 16 outputs and 32 inputs; a group of 32 has a float16 scale
    // and a zero point of 4 bits.
    const int64_t rows = padded(out, 16), groups = (in + 31) / 32;
    expected += times * (rows * padded(in, 32) / 2 + rows * groups * 5 / 2);
    full += times * out * in * 4;
  };
  const int64_t heads = m.heads * m.head_dim, kv = m.kv_heads * m.head_dim;
  add(heads, m.hidden_size, 1);
  add(kv, m.hidden_size, 2);
  add(m.hidden_size, heads, 1);
  add(m.intermediate_size, m.hidden_size, 2);
  add(m.hidden_size, m.intermediate_size, 1);
  CHECK(held_bytes(both.packed[0].weights) == expected);
  CHECK(held_bytes(both.simulated[0].weights) == full);
}

TEST_CASE("packing: codes of GPTQ belong to the order of the weight") {
  at::manual_seed(7);
  const at::Tensor weight = at::randn({24, 96}), x = at::randn({400, 96}) * at::rand({96}).exp();
  const at::Tensor hessian = at::matmul(x.t(), x);
  for (const QuantForm form : {QuantForm::kZeroPoint, QuantForm::kMinimum, QuantForm::kSymmetric})
    for (const bool act_order : {false, true}) {
      const QuantSpec spec{.bits = 3, .group_size = 32, .form = form};
      const GptqOptions options{.act_order = act_order, .static_groups = act_order};
      const GptqResult result = gptq_solve(weight, hessian, spec, options, true);
      REQUIRE(result.codes);
      REQUIRE(at::equal(decode(result.codes->encoded), result.weight));
      REQUIRE(at::equal(PackedWeight(result.codes->encoded, spec).decode(), result.weight));
      REQUIRE(at::equal(gptq_solve(weight, hessian, spec, options).weight, result.weight));
      REQUIRE(!gptq_solve(weight, hessian, spec, options).codes);
    }
  const GptqResult permuted =
      gptq_solve(weight, hessian, {.bits = 3, .group_size = 32}, {.act_order = true}, true);
  REQUIRE(!permuted.codes);
}

TEST_CASE("packing: what cannot be packed is refused before any work") {
  test::BlockFixture fixture("tests/golden/models/llama_mqa");
  const auto refused = [&](const std::string& text, const char* message) {
    const auto method = test::method_of("{" + text + "}");
    INFO(text);
    REQUIRE_THROWS_AS(method->check_packable(fixture.model().config()), ConfigError);
    REQUIRE_THROWS_WITH(method->check_packable(fixture.model().config()), Contains(message));
  };
  refused("name: rtn, weight: {bits: 5}", "5 bits are not supported; expected 2, 3, 4 or 8");
  refused("name: rtn, weight: {bits: 4, group_size: 20}", "group_size 20");
  refused("name: rtn, weight: {bits: 4, per_tensor: true}", "per_tensor");
  refused("name: mixed, weight: {bits: 4}, rules: [{match: 'block_01/q_proj', bits: 6}]",
          "6 bits are not supported");
  refused("name: gptq, weight: {bits: 4, group_size: 32}, act_order: true", "static_groups: true");
  refused("name: mixed, rounding: gptq, weight: {bits: 4, group_size: 32}, gptq: {act_order: true}",
          "static_groups: true");
  refused("name: rotation, weight: {bits: 4}", "expected residual: false, values: false");
  refused("name: rotation, weight: {bits: 4}, residual: false, values: false, down: true",
          "unless inputs are quantized");
  test::method_of("{name: rotation, weight: {bits: 16}}")->check_packable(fixture.model().config());
  test::method_of("{name: gptq, weight: {bits: 4}, act_order: true}")
      ->check_packable(fixture.model().config());
}
