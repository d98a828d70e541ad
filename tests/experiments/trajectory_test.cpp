#include <cmath>

#include "core/device/torch_headers.h"
#include "experiments/run/runner.h"
#include "tests/support/catch.h"
#include "tests/support/memory_recorder.h"
#include "tests/support/npy.h"

using namespace wkvq;

namespace {

constexpr int64_t kPromptTokens = 12, kWritten = 10;

std::vector<std::vector<int32_t>> prompts() {
  std::vector<std::vector<int32_t>> windows;
  for (int32_t i = 0; i < 3; ++i) {
    windows.emplace_back();
    for (int32_t t = 0; t < kPromptTokens; ++t)
      windows.back().push_back((7 * t + 5 * i + t * t) % 60 + 3);
  }
  return windows;
}

/// A run of `method` with one evaluation, on the windows of a file.
test::MemoryRecorder run(const std::string& method, const std::string& evaluation,
                         const std::vector<std::vector<int32_t>>& windows) {
  const test::TemporaryFolder folder;
  const std::string file = (folder / "windows.npy").string();
  test::write_npy(file, windows);
  const std::string text = fmt::format(
      "model: {{path: {}, dtype: float64}}\nmethod: {}\nevaluate:\n"
      "  - {{dataset: {{name: tokens, path: {}}}, name: text, {}}}\n",
      test::source("tests/golden/models/llama_gqa_head_dim").string(), method, file, evaluation);
  const RunConfig config = read_run_config(parse_yaml(text, "trajectory.yaml"));
  Session session("unused");
  test::MemoryRecorder recorder;
  execute_run(config, session, recorder);
  return recorder;
}

std::string trajectory(const std::string& more = "") {
  return fmt::format(
      "task: trajectory, prompts: 3, prompt_tokens: {}, max_tokens: {}, buckets: 1{}",
      kPromptTokens, kWritten, more);
}

double value(const test::MemoryRecorder& recorder, const std::string& metric) {
  return std::get<double>(recorder.attributes.at("/evaluation/" + metric + ".text/value"));
}

template <class T>
std::vector<T> rows(const test::MemoryRecorder& recorder, const std::string& name) {
  return std::get<std::vector<T>>(recorder.columns.at("/evaluation/" + name));
}

}  // namespace

TEST_CASE("trajectory: the model against itself is exact, whatever the view and the draws") {
  for (const std::string view :
       {"{mode: past}", "{mode: past, window: 3, sinks: 1}", "{mode: all}"})
    for (const std::string drawn : {"", ", temperature: 1, seed: 3"}) {
      INFO(view << drawn);
      const auto recorder = run("{name: rtn, weight: {bits: 16}, kv: {bits: 16}}",
                                trajectory(drawn + ", view: " + view), prompts());
      CHECK(value(recorder, "trajectory_kl") == 0);
      CHECK(value(recorder, "trajectory_top1") == 1);
      CHECK(value(recorder, "first_divergence") == kWritten);
      CHECK(value(recorder, "equal_tokens") == 1);
      CHECK(value(recorder, "written_nll_increase") == 0);
      CHECK(value(recorder, "written_nll") == value(recorder, "followed_nll"));
    }
}

TEST_CASE("trajectory: following is teacher forcing, as one pass over prompt and text has it") {
  const std::string method = "{name: rtn, weight: {bits: 4, group_size: 16}, kv: {bits: 3}}";
  const auto followed =
      run(method, trajectory(", temperature: 1, view: {mode: past, window: 2}"), prompts());
  CHECK(value(followed, "trajectory_kl") > 0);
  const auto tokens = rows<int64_t>(followed, "followed_nll.text/token");
  auto windows = prompts();
  for (size_t i = 0; i < windows.size(); ++i)
    for (size_t t = 0; t < kWritten; ++t)
      windows[i].push_back(static_cast<int32_t>(tokens[i * kWritten + t]));
  const auto whole = run(method,
                         fmt::format("task: perplexity, kl: true, score_from: {0}, view: {{mode: "
                                     "past, window: 2, prefill: {0}}}",
                                     kPromptTokens),
                         windows);
  const auto a = rows<float>(followed, "trajectory_kl.text/kl");
  const auto b = rows<float>(whole, "kl.text/kl");
  REQUIRE(a.size() == b.size());
  // One pass and decoding agree to 1e-9; rows are float32.
  for (size_t i = 0; i < a.size(); ++i) CHECK(std::abs(a[i] - b[i]) < 1e-6f * (1 + b[i]));
  // Texts begin alike: the first token is chosen from a prompt in full precision but for weights.
  CHECK(value(followed, "equal_tokens") < 1);
}
