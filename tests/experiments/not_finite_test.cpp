#include <sstream>

#include "core/base/run/run_summary.h"
#include "core/calibrate/stream_check.h"
#include "core/device/torch_headers.h"
#include "experiments/commands/commands.h"
#include "experiments/run/learned_files.h"
#include "experiments/score/score_check.h"
#include "tests/support/catch.h"
#include "tests/support/model_folder.h"
#include "tests/support/npy.h"

using namespace wkvq;
using Catch::Contains;

namespace {

/// A tiny model whose named tensors are replaced by `change` of their values.
class ChangedModel {
 public:
  using Change = std::function<void(const std::string& name, at::Tensor& values)>;
  explicit ChangedModel(const Change& change) : folder_("llama_gqa_head_dim") {
    std::vector<at::Tensor> alive;
    folder_.rewrite([&](std::vector<TensorEntry>& tensors) {
      for (TensorEntry& entry : tensors) {
        at::Tensor stored = at::empty(entry.shape, at::kHalf);
        REQUIRE(entry.bytes == stored.nbytes());
        std::memcpy(stored.data_ptr(), entry.data, entry.bytes);
        at::Tensor values = stored.to(at::kFloat);
        change(entry.name, values);
        stored.copy_(values);
        alive.push_back(stored);
        entry.data = static_cast<const std::byte*>(stored.data_ptr());
      }
    });
  }
  std::string path() const { return folder_.path().string(); }

 private:
  test::ModelFolder folder_;
};

/// Keys of block 1 beyond float16's 65504, in float32 and bfloat16 large but sound.
ChangedModel with_large_keys() {
  return ChangedModel([](const std::string& name, at::Tensor& values) {
    if (name.ends_with("layers.1.self_attn.k_proj.weight")) values.mul_(30000 / values.abs().max());
    if (name.ends_with("layers.1.input_layernorm.weight")) values.mul_(30);
  });
}

struct Result {
  int code;
  RunSummary run;
};

/// Runs the one configuration in `folder`.
Result run(const test::TemporaryFolder& folder, const std::string& model, const std::string& dtype,
           const std::string& method, const std::string& more = "") {
  std::vector<std::vector<int32_t>> windows(2, std::vector<int32_t>(16));
  for (size_t i = 0; i < 32; ++i) windows[i / 16][i % 16] = static_cast<int32_t>(i * i % 61);
  test::write_npy(folder / "tokens.npy", windows);
  test::write_file(folder / "one.yaml",
                   fmt::format("name: one\nmodel: {{path: {}, dtype: {}}}\nmethod: {}\nevaluate:\n"
                               "  - {{task: perplexity, dataset: {{name: tokens, path: {}}}{}}}\n",
                               model, dtype, method, (folder / "tokens.npy").string(), more));
  std::ostringstream out;
  const int code =
      run_command({.file = folder / "one.yaml", .results = folder / "results", .force = true}, out);
  for (const auto& entry : std::filesystem::directory_iterator(folder / "results/one"))
    if (entry.path().extension() == ".h5") return {code, read_run(entry.path())};
  FAIL("no run file");
  return {};
}

}  // namespace

TEST_CASE("not finite: a model that overflows in float16 fails and says what to do") {
  const ChangedModel model = with_large_keys();
  for (const char* kl : {"", ", kl: true"}) {
    const test::TemporaryFolder folder;
    const Result half = run(folder, model.path(), "float16", "{name: rtn, kv: {bits: 4}}", kl);
    CHECK(half.code == 1);
    CHECK(half.run.status == "failed");
    CHECK(half.run.evaluations.empty());
    CHECK_THAT(half.run.error,
               Contains("the full-precision model itself is not finite in float16: keys of block "
                        "1, perplexity on tokens") &&
                   Contains("sequence 0, position 0") &&
                   Contains("expected model.dtype: bfloat16 or float32"));
  }
  const test::TemporaryFolder folder;
  const Result wide = run(folder, model.path(), "bfloat16", "{name: rtn, kv: {bits: 4}}");
  CHECK(wide.code == 0);
  CHECK(wide.run.status == "done");
}

TEST_CASE("not finite: a cache engine names the block that overflows") {
  const ChangedModel model = with_large_keys();
  const test::TemporaryFolder folder;
  const Result half = run(folder, model.path(), "float16", "{name: rtn}", ", engine: cache");
  CHECK(half.code == 1);
  CHECK(half.run.status == "failed");
  CHECK_THAT(half.run.error,
             Contains("the full-precision model itself is not finite in float16: hidden states "
                      "that leave block 1, perplexity on tokens") &&
                 Contains("sequence 0, position 0"));
}

TEST_CASE("not finite: a quantizer that overflows where the model does not is to blame itself") {
  // Row 0 of k_proj spans -50000 .. 64000: two bits put its top on 2 x 38000, beyond float16. The
  // norm in front is as small as the weights are large.
  const ChangedModel model([](const std::string& name, at::Tensor& values) {
    if (name.ends_with("layers.0.input_layernorm.weight")) values.fill_(1e-6);
    if (!name.ends_with("layers.0.self_attn.k_proj.weight")) return;
    values[0].zero_();
    values[0][0] = -50000;
    values[0][1] = 64000;
  });
  const test::TemporaryFolder folder;
  const Result exact = run(folder, model.path(), "float16", "{name: rtn}");
  CHECK(exact.run.status == "done");
  const test::TemporaryFolder other;
  const Result two = run(other, model.path(), "float16", "{name: rtn, weight: {bits: 2}}");
  CHECK(two.code == 1);
  CHECK(two.run.error == "quantized weight block_00/k_proj: not finite at [0, 1]");
}

TEST_CASE("not finite: logits that overflow in the head are found by sequence and position") {
  const ChangedModel model([](const std::string& name, at::Tensor& values) {
    if (name == "lm_head.weight") values.mul_(60000 / values.abs().max());
  });
  const test::TemporaryFolder folder;
  const Result half = run(folder, model.path(), "float16", "{name: rtn}");
  CHECK(half.code == 1);
  CHECK_THAT(half.run.error, Contains("the full-precision model itself is not finite in float16: "
                                      "logits, perplexity on tokens, KV mode past, sequence 0, "
                                      "position "));
}

TEST_CASE("not finite: text is not sampled from a model without probabilities") {
  const ChangedModel model = with_large_keys();
  const test::TemporaryFolder folder;
  test::write_file(folder / "one.yaml",
                   fmt::format("model: {{path: {}, dtype: float16}}\nmethod: {{name: rtn}}\n"
                               "evaluate:\n  - {{task: perplexity, dataset: {{name: self, samples: "
                               "1, length: 8}}}}\n",
                               model.path()));
  std::ostringstream out;
  CHECK_THROWS_WITH(run_command({.file = folder / "one.yaml", .results = folder / "results"}, out),
                    Contains("not finite in float16: logits, sampling of text, position 1"));
  CHECK(!std::filesystem::exists(folder / "results/one"));
}

TEST_CASE("not finite: stored parameters of NaN, zeros or scales of 0 make a run fail") {
  const std::string model = test::source("tests/golden/models/llama_gqa_head_dim").string();
  const std::string method =
      "{name: wkvquant, weight: {bits: 4, group_size: 16}, kv: {bits: 4}, training: {epochs: 1}}\n"
      "calibration: {dataset: {name: tokens, path: TOKENS}, samples: 2, length: 16}";
  const test::TemporaryFolder folder;
  std::string with_tokens = method;
  with_tokens.replace(with_tokens.find("TOKENS"), 6, (folder / "tokens.npy").string());
  const Result sound = run(folder, model, "float32", with_tokens);
  REQUIRE(sound.run.status == "done");
  const std::filesystem::path file = sound.run.path;
  const LearnedParameters learned = *LearnedFiles({}, file).load(1);
  const auto fails_with = [&](const std::function<void(LearnedParameters&)>& spoil) {
    LearnedParameters spoiled;
    for (const auto& [name, value] : learned) spoiled[name] = value.clone();
    spoil(spoiled);
    LearnedFiles(file.string() + ".partial", {}).save(1, spoiled);
    const Result result = run(folder, model, "float32", with_tokens);
    std::filesystem::remove_all(file.string() + ".partial");
    CHECK(result.code == 1);
    CHECK(result.run.status == "failed");
    return result.run.error;
  };
  CHECK_THAT(fails_with([](auto& all) { all["down_proj.high"][0][0] = NAN; }),
             Contains("'down_proj.high' of block 1 is not finite"));
  CHECK_THAT(fails_with([](auto& all) {
               for (auto& [name, value] : all) value.zero_();
             }),
             Contains("stored parameters of block_01: all are 0"));
  CHECK_THAT(fails_with([](auto& all) { all["key.log_scale"][0][3] = -1e4; }),
             Contains("block_01/key.log_scale, the scale: a scale at [0, 3] is not above 0"));
}

TEST_CASE("not finite: a metric is, or the run fails") {
  Metric metric{.metric = "perplexity", .value = 12, .stderr_ = NAN, .n = 3};
  REQUIRE_NOTHROW(check_metric("perplexity.x.past", metric));
  metric.value = std::numeric_limits<double>::infinity();
  REQUIRE_THROWS_WITH(check_metric("perplexity.x.past", metric),
                      "not finite: perplexity.x.past is inf over 3 tokens or items");
}

TEST_CASE("not finite: keys beyond float16 in a case from outside") {
  const auto shared = test::shared("cases/nan_is_done");
  if (shared.empty()) return;
  const test::TemporaryFolder folder;
  for (const auto& [dtype, status] : {std::pair{"float16", "failed"}, {"bfloat16", "done"}}) {
    test::write_file(
        folder / "s.yaml",
        fmt::format("name: {}\nmodel: {{path: {}, dtype: {}}}\nmethod: {{name: rtn}}\nevaluate:\n"
                    "  - {{task: perplexity, dataset: {{name: tokens, path: {}}}, kl: true}}\n",
                    dtype, (shared / "model").string(), dtype, (shared / "ids.npy").string()));
    std::ostringstream out;
    const bool failed = std::string(status) == "failed";
    CHECK(run_command({.file = folder / "s.yaml", .results = folder / "results"}, out) == failed);
    for (const auto& entry : std::filesystem::directory_iterator(folder / "results" / dtype)) {
      const RunSummary run = read_run(entry.path());
      INFO(run.error);
      CHECK(run.status == status);
      CHECK((run.error.find("keys of block") != std::string::npos) == failed);
    }
  }
}
