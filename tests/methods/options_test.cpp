#include "core/base/options/options_text.h"
#include "core/base/yaml/yaml_text.h"
#include "core/device/torch_headers.h"
#include "tests/support/block_fixture.h"

using namespace wkvq;

// No option of a grid is accepted and ignored, whatever a method does with its grid: the option
// changes a result, or it is refused.
namespace {

const char* const kModel = "tests/golden/models/qwen3";

/// What a method makes of block 0, as one row of numbers: its weights, what it makes of an input,
/// and its keys and values. Nothing where the options are refused.
std::optional<at::Tensor> result(const std::string& name, const std::string& options) {
  const at::NoGradGuard no_grad;
  test::BlockFixture fixture(kModel, at::kFloat);
  std::vector<at::Tensor> all;
  try {
    const auto method = test::method_of(fmt::format("{{name: {}, {}}}", name, options));
    const KvViewOptions& view = method->kv().view;
    check_kv_options(method->kv(), view, fixture.model().config());
    QuantizedBlock block = fixture.calibrated(*method, 0);
    const at::Tensor x = fixture.inputs(0)[0];
    block.weights.visit_linears([&](const char*, Linear& linear) { all.push_back(linear.weight); });
    all.push_back(block.weights.query.input(x));
    const AttentionInputs in = attention_inputs(fixture.model().config(), fixture.model().block(0),
                                                fixture.model().rope(), x, 0);
    all.push_back(quantized_key(in, block.codec.key));
    all.push_back(block.codec.value.fake(in.value));
  } catch (const ConfigError& error) {
    UNSCOPED_INFO(error.what());
    return std::nullopt;
  }
  for (at::Tensor& x : all) x = x.flatten();
  return at::cat(all);
}

/// The effective options of a method; empty where they are refused.
std::string canonical(const std::string& name, const std::string& options) {
  try {
    YamlWriter writer;
    writer.write(*test::method_of(fmt::format("{{name: {}, {}}}", name, options)));
    return block_text(writer.root());
  } catch (const ConfigError&) {
    return {};
  }
}

/// Every one of `options`, behind `base` within the braces of `part`, counts in every method.
void require_effect(const std::string& part, const std::string& base, const std::string& rest,
                    const std::vector<std::string>& options) {
  for (const std::string& name : method_names()) {
    const auto text = [&](const std::string& more) {
      return fmt::format("{}: {{{}{}}}, {}", part, base, more, rest);
    };
    const auto plain = result(name, text(""));
    INFO(name << ", " << part << ": " << base);
    REQUIRE(plain);
    int effective = 0;
    for (const std::string& option : options) {
      INFO(name << ", " << part << ": " << base << option);
      const std::string with = text(", " + option);
      if (canonical(name, with) == canonical(name, text(""))) continue;  // its default
      const auto changed = result(name, with);
      CHECK((!changed || !at::equal(*plain, *changed)));
      effective += changed.has_value();
    }
    INFO(name);
    CHECK(effective > 0);
  }
}

}  // namespace

TEST_CASE("options of weights count in every method, or are refused") {
  // Groups of four weights, of which many have one sign.
  require_effect("weight", "bits: 3, group_size: 4", "kv: {bits: 16}, activation: {bits: 16}",
                 {"form: minimum", "form: symmetric", "range: raw", "scale_dtype: float16",
                  "scale_dtype: bfloat16"});
  require_effect("weight", "bits: 3, group_size: -1", "kv: {bits: 16}, activation: {bits: 16}",
                 {"per_tensor: true", "form: symmetric", "scale_dtype: float16"});
}

TEST_CASE("options of inputs count in every method, or are refused") {
  require_effect("activation", "bits: 4", "weight: {bits: 16}, kv: {bits: 16}",
                 {"form: zero_point", "form: minimum", "scale: tensor"});
}

TEST_CASE("options of the cache count in every method, or are refused") {
  require_effect("kv", "bits: 3", "weight: {bits: 16}, activation: {bits: 16}",
                 {"form: zero_point", "form: symmetric", "scale_dtype: float16", "group_size: 4",
                  "rotate: hadamard", "range: static", "grid: nuq, form: minimum", "outliers: 0.1",
                  "outliers: 0", "fit_weights: fisher", "q_norm: true",
                  "channel: {shift: static, scale: none}", "channel: {shift: none, scale: static}",
                  "channel: {shift: learned, scale: learned}"});
}
