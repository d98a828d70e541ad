#include <sstream>

#include "core/attention/masked_attention.h"
#include "core/base/error.h"
#include "core/calibrate/pipeline.h"
#include "core/device/torch_headers.h"
#include "experiments/commands/commands.h"
#include "experiments/run/runner.h"
#include "tests/support/block_fixture.h"
#include "tests/support/formats.h"
#include "tests/support/npy.h"

using namespace wkvq;

// What every method keeps to. New methods are tested from the moment they are registered.
namespace {

/// Grouped, single and as many kv heads; biases on every linear; norms of queries and keys.
const std::vector<std::string> kModels{"llama_gqa_head_dim", "llama_mqa", "llama_bias", "qwen3"};

constexpr const char* kFourBits =
    "weight: {bits: 4, group_size: 16}, activation: {bits: 8}, kv: {bits: 4}";

struct Outcome {
  std::vector<QuantizedBlock> blocks;
  at::Tensor quantized, full;  // leaving the last block, [batch, seq, hidden]
  at::Tensor one_by_one;       // quantized, the sequences in batches of their own

  double error() const {
    return ((quantized - full).square().sum() / full.square().sum()).sqrt().item<double>();
  }
};

/// A model's blocks quantized by a method, and a batch that went through them.
Outcome outcome(const std::string& name, const std::string& options, const std::string& model,
                at::ScalarType dtype) {
  const at::NoGradGuard no_grad;
  test::BlockFixture fixture("tests/golden/models/" + model, dtype);
  const std::unique_ptr<Method> method =
      test::method_of(fmt::format("{{name: {}, {}}}", name, options));
  method->check(fixture.model().config());
  const at::Tensor tokens = (at::arange(40, at::kLong) * 11 + 3).fmod(64).view({2, 20});
  const at::Tensor hidden = fixture.model().embed(tokens);
  const KvViewOptions& view = method->kv().view;
  BlockPass pass{
      .streams = {{.batches = {{hidden, view}}},
                  {.full_precision = true, .batches = {{hidden, {}}}},
                  {.batches = {{hidden.narrow(0, 0, 1), view}, {hidden.narrow(0, 1, 1), view}}}},
      .calibration = &fixture.chain(),
      .keep_blocks = true};
  run_blocks(fixture.model(), *method, pass, fixture.recorder());
  const std::vector<StreamBatch>& single = pass.streams[2].batches;
  return {pass.blocks, pass.streams[0].batches[0].hidden, pass.streams[1].batches[0].hidden,
          at::cat({single[0].hidden, single[1].hidden})};
}

bool refuses_cache(const std::string& name, const std::string& options, const std::string& model) {
  const auto method = test::method_of(fmt::format("{{name: {}, {}}}", name, options));
  test::BlockFixture fixture("tests/golden/models/" + model);
  try {
    check_kv_options(method->kv(), method->kv().view, fixture.model().config());
  } catch (const ConfigError&) {
    return true;
  }
  return false;
}

/// Relative error of the first block's keys and values, its weights in full precision.
double cache_error(const std::string& name, const std::string& model, int bits) {
  // What OSCAR clips of a range is lost at any number of bits.
  const char* whole = name == "oscar" ? ", clip: 1" : "";
  const Outcome result =
      outcome(name, fmt::format("weight: {{bits: 16}}, kv: {{bits: {}{}}}", bits, whole), model,
              at::kDouble);
  const at::NoGradGuard no_grad;
  test::BlockFixture fixture("tests/golden/models/" + model);
  const QuantizedBlock& block = result.blocks[0];
  const AttentionInputs in = attention_inputs(fixture.model().config(), block.weights,
                                              fixture.model().rope(), fixture.inputs(0)[0], 0);
  const auto error = [](const at::Tensor& exact, const at::Tensor& got) {
    return ((got - exact).square().sum() / exact.square().sum()).sqrt().item<double>();
  };
  return error(in.key, quantized_key(in, block.codec.key)) +
         error(in.value, block.codec.value.fake(in.value));
}

/// One run of a sweep on tokens of a file; what it recorded.
test::MemoryRecorder run(const std::string& name, const std::string& model,
                         const std::string& tokens) {
  std::string text = fmt::format(
      "model: {{path: {}}}\nmethod: {{name: {}, {}}}\n"
      "evaluate:\n  - {{task: perplexity, dataset: {{name: tokens, path: {}}}, name: text}}\n",
      test::source("tests/golden/models/" + model).string(), name, kFourBits, tokens);
  if (test::method_of(fmt::format("{{name: {}, {}}}", name, kFourBits))->calibration_needs() !=
      CalibrationNeeds::kNone)
    text += fmt::format(
        "calibration: {{dataset: {{name: tokens, path: {}}}, samples: 3, length: 16}}\n", tokens);
  const RunConfig config = read_run_config(parse_yaml(text, "contract.yaml"));
  Session session("unused");
  test::MemoryRecorder recorder;
  execute_run(config, session, recorder);
  return recorder;
}

/// Names of all options of a method, nested ones too, with their help.
class HelpCollector final : public OptionVisitor {
 public:
  void reject(const char*, const std::string&) override {}
  Purpose purpose() const override { return Purpose::kExplain; }
  std::vector<std::pair<std::string, std::string>> all;

 protected:
  void field(const char* name, bool&, const char* help) override { note(name, help); }
  void field(const char* name, int64_t&, const char* help) override { note(name, help); }
  void field(const char* name, double&, const char* help) override { note(name, help); }
  void field(const char* name, std::string&, const char* help) override { note(name, help); }
  void field(const char* name, std::vector<int64_t>&, const char* help) override {
    note(name, help);
  }
  void choice_field(const char* name, int&, const std::vector<std::string>&,
                    const char* help) override {
    note(name, help);
  }
  bool begin_struct(const char* name, const char* help) override {
    note(name, help);
    return true;
  }
  void end_struct() override {}

 private:
  void note(const char* name, const char* help) { all.emplace_back(name, help); }
};

}  // namespace

TEST_CASE("contract: shapes and dtype are kept, results are finite") {
  for (const std::string& name : method_names())
    for (const std::string& model : kModels)
      for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
        Outcome result = outcome(name, kFourBits, model, dtype);
        INFO(name << " on " << model << ", " << toString(dtype));
        REQUIRE(at::isfinite(result.quantized).all().item<bool>());
        // Quantized to 4 bits: changed, but the same function; noise alone would give sqrt(2).
        CHECK(result.error() > 0);
        CHECK(result.error() < 0.5);
        test::BlockFixture original("tests/golden/models/" + model, dtype);
        for (size_t layer = 0; layer < result.blocks.size(); ++layer) {
          std::map<std::string, at::Tensor> expected;
          original.model()
              .block(static_cast<int64_t>(layer))
              .visit_linears([&](const char* linear, Linear& l) { expected[linear] = l.weight; });
          result.blocks[layer].weights.visit_linears([&](const char* linear, Linear& l) {
            INFO("block " << layer << ", " << linear);
            REQUIRE(l.weight.sizes() == expected.at(linear).sizes());
            REQUIRE(l.weight.scalar_type() == dtype);
            REQUIRE(!l.weight.requires_grad());
            REQUIRE(!l.input.identity());
          });
          REQUIRE(!result.blocks[layer].codec.identity());
        }
      }
}

TEST_CASE("contract: 16 bits everywhere is the full-precision model") {
  for (const std::string& name : method_names())
    for (const std::string& model : kModels) {
      const Outcome result = outcome(
          name, "weight: {bits: 16}, activation: {bits: 16}, kv: {bits: 16}", model, at::kDouble);
      INFO(name << " on " << model);
      // Scales and rotations that cancel: the project's bound for float64.
      REQUIRE((result.quantized - result.full).abs().max().item<double>() < 1e-9);
    }
}

TEST_CASE("contract: a batch gives what its sequences give alone") {
  for (const std::string& name : method_names())
    for (const std::string& model : kModels) {
      const Outcome result = outcome(name, kFourBits, model, at::kDouble);
      INFO(name << " on " << model);
      // Sums of matrix products may be ordered by shape; nothing else may differ.
      REQUIRE((result.quantized - result.one_by_one).abs().max().item<double>() < 1e-12);
    }
}

TEST_CASE("contract: groups that do not divide the width") {
  // Inputs of 32 and 48: groups of 20 leave 12 and 8; heads of 12, 8 and 16: groups of 5 leave 2, 3
  // and 1.
  for (const std::string& name : method_names())
    for (const std::string& model : kModels) {
      INFO(name << " on " << model);
      const std::string weights = "weight: {bits: 4, group_size: 20}, kv: {bits: 4";
      const double uneven = outcome(name, weights + "}", model, at::kDouble).error();
      CHECK(uneven > 0);
      CHECK(uneven < 0.5);  // noise alone would give sqrt(2)
      const std::string both = weights + ", group_size: 5}";
      if (refuses_cache(name, both, model)) continue;  // a clear error before any work
      const double cache = outcome(name, both, model, at::kDouble).error();
      CHECK(cache > 0);
      CHECK(cache < 0.5);
    }
}

TEST_CASE("contract: weights and activations in formats other than integers") {
  for (const std::string& name : method_names()) {
    if (name == "mixed") continue;
    for (const char* format :
         {"fp8_e4m3", "fp6_e2m3", "nf4", "mxfp4", "mxfp4_ceil", "nvfp4", "nvfp4_4over6"}) {
      const bool own_blocks = number_format(test::format_id(format)).block > 0;
      const std::string options = fmt::format(
          "weight: {{format: {}{}}}, activation: {{format: fp8_e4m3}}, kv: {{bits: 16}}", format,
          own_blocks ? "" : ", group_size: 16");
      INFO(name << ", " << format);
      const double error = outcome(name, options, "llama_bias", at::kDouble).error();
      CHECK(error > 0);
      CHECK(error < 0.5);  // noise alone would give sqrt(2)
    }
  }
  // Bits by place are counts of integers.
  for (const char* base : {"weight: {format: nf4}", "kv: {value: {format: nf4}}"})
    REQUIRE_CONFIG_ERROR(
        test::method_of(fmt::format("{{name: mixed, {}}}", base))->check(ModelConfig{}),
        "format nf4 beside bits by place");
}

TEST_CASE("contract: caches in formats other than integers") {
  for (const std::string& name : method_names()) {
    if (name == "mixed") continue;
    for (const char* format : {"fp8_e4m3", "fp8_e4m3_cast", "nf4"}) {
      const std::string options = fmt::format("weight: {{bits: 16}}, kv: {{format: {}}}", format);
      INFO(name << ", " << format);
      // Static ranges and codebooks have codes of their own, and a clipped range is one of integers.
      if (name == "kvquant" || name == "turboquant" || name == "oscar") {
        CHECK(refuses_cache(name, options, "llama_bias"));
        continue;
      }
      const double error = outcome(name, options, "llama_bias", at::kDouble).error();
      // The newest 128 tokens of KIVI are exact, as is KVarN's first tile, and there are 20.
      CHECK((error > 0) == (name != "kivi" && name != "kvarn"));
      CHECK(error < 0.5);
    }
  }
}

TEST_CASE("contract: more weight bits, less error") {
  for (const std::string& name : method_names())
    for (const std::string& model : kModels) {
      const auto error = [&](int bits) {
        return outcome(name,
                       fmt::format("weight: {{bits: {}, group_size: 16}}, kv: {{bits: 16}}", bits),
                       model, at::kDouble)
            .error();
      };
      const double two = error(2), four = error(4), eight = error(8);
      INFO(name << " on " << model << ": " << two << ", " << four << ", " << eight);
      // Two bits more make steps a fifth, four more a seventeenth: noise is far below that.
      CHECK(four < 0.7 * two);
      CHECK(eight < 0.25 * four);
    }
}

TEST_CASE("contract: more cache bits, less error") {
  for (const std::string& name : method_names())
    for (const std::string& model : kModels) {
      const double two = cache_error(name, model, 2), four = cache_error(name, model, 4),
                   eight = cache_error(name, model, 8);
      INFO(name << " on " << model << ": " << two << ", " << four << ", " << eight);
      // As for weights: steps of a fifth, then of a seventeenth.
      CHECK(four < 0.7 * two);
      CHECK(eight < 0.25 * four);
    }
}

TEST_CASE("contract: a run gives the same bits again, and finite metrics") {
  const test::TemporaryFolder folder;
  std::vector<std::vector<int32_t>> windows(6, std::vector<int32_t>(24));
  for (size_t i = 0; i < windows.size(); ++i)
    for (size_t j = 0; j < windows[i].size(); ++j)
      windows[i][j] = static_cast<int32_t>((i * 31 + j * j * 7 + j) % 64);
  test::write_npy(folder / "tokens.npy", windows);
  for (const std::string& name : method_names())
    for (const std::string& model : kModels) {
      const test::MemoryRecorder first = run(name, model, folder / "tokens.npy");
      const test::MemoryRecorder second = run(name, model, folder / "tokens.npy");
      INFO(name << " on " << model);
      REQUIRE((first.columns == second.columns));
      const auto& nll =
          std::get<std::vector<float>>(first.columns.at("/evaluation/perplexity.text/nll"));
      REQUIRE(!nll.empty());
      for (const float x : nll) REQUIRE(std::isfinite(x));
      REQUIRE(first.attributes.contains("/statistics/block_01/down_proj/sqnr_db"));
      for (const auto& [path, value] : first.attributes)
        if (const double* number = std::get_if<double>(&value); number) {
          INFO(path);
          REQUIRE(!std::isnan(*number));
        }
    }
}

TEST_CASE("contract: every option is explained by list methods NAME") {
  for (const std::string& name : method_names()) {
    const std::unique_ptr<Method> method = make_method(name);
    HelpCollector check;
    method->visit(check);
    std::ostringstream out;
    REQUIRE(list_command("methods", name, out) == 0);
    INFO(name << "\n" << out.str());
    for (const auto& [option, help] : check.all) {
      INFO(option);
      REQUIRE(!help.empty());
      REQUIRE(out.str().find(option) != std::string::npos);
      REQUIRE(out.str().find(help) != std::string::npos);
    }
    REQUIRE(!method->summary().empty());
  }
}
