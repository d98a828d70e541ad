#include "core/device/torch_headers.h"
#include "experiments/run/failure.h"
#include "experiments/run/runner.h"
#include "tests/support/catch.h"
#include "tests/support/memory_recorder.h"

using namespace wkvq;
using Catch::Matchers::Contains;

namespace {

/// What a run records of learned and calibrated methods and a perplexity with KL, on `model`.
test::MemoryRecorder record(const std::string& method, const std::string& model) {
  const RunConfig config = read_run_config(parse_yaml(
      fmt::format("model: {{path: {}, {}}}\n"
                  "calibration: {{dataset: {{name: self, samples: 2}}, samples: 2, length: 48}}\n"
                  "method: {{name: {}, weight: {{bits: 4, group_size: 64}}, kv: {{bits: 4}}}}\n"
                  "evaluate:\n  - {{task: perplexity, dataset: {{name: self, samples: 3}}, "
                  "context: 48, kl: true, name: one}}\n",
                  test::source("datasets/mini").string(), model, method),
      "device.yaml"));
  const test::TemporaryFolder folder;
  Session session(folder.path());
  test::MemoryRecorder recorder;
  execute_run(config, session, recorder);
  return recorder;
}

std::vector<float> nll_of(const test::MemoryRecorder& recorder) {
  return std::get<std::vector<float>>(recorder.columns.at("/evaluation/perplexity.one/nll"));
}

}  // namespace

TEST_CASE("failure: where memory ran out, the settings that need less") {
  const auto told = [](const std::exception& error) { return failure_text(error); };
  const c10::OutOfMemoryError device({__func__, __FILE__, __LINE__}, "CUDA out of memory. Tried");
  CHECK_THAT(told(device), Contains("out of memory (CUDA out of memory. Tried)") &&
                               Contains("wkvq plan") && Contains("model.blocks: streaming") &&
                               Contains("model.activations: host"));
  CHECK_THAT(told(std::bad_alloc()), Contains("model.blocks: streaming"));
  throw_where_memory_is_out();
  // More than any machine has: the allocator of the library itself fails.
  try {
    at::empty({int64_t{1} << 50}, at::kByte);
    FAIL("expected an error");
  } catch (const std::exception& error) {
    CHECK_THAT(told(error), Contains("model.blocks: streaming"));
  }
}

TEST_CASE("failure: other errors as they are, without the library's stack") {
  CHECK(failure_text(std::runtime_error("no space")) == "no space");
  const c10::Error error({__func__, __FILE__, __LINE__}, "shapes differ");
  CHECK(failure_text(error) == "shapes differ");
}

TEST_CASE("activations: host changes nothing where the host computes") {
  CHECK(nll_of(record("gptq", "activations: host")) == nll_of(record("gptq", "device: cpu")));
}

TEST_CASE("activations: waiting on the host changes no bit of a device's results", "[cuda]") {
  if (!test::has_cuda()) return;
  for (const char* method : {"gptq", "awq", "smoothquant", "kvquant"}) {
    INFO(method);
    CHECK(nll_of(record(method, "device: cuda, activations: host")) ==
          nll_of(record(method, "device: cuda")));
  }
  const std::string wkvquant = "wkvquant, training: {epochs: 1}";
  CHECK(nll_of(record(wkvquant, "device: cuda, activations: host")) ==
        nll_of(record(wkvquant, "device: cuda")));
}

TEST_CASE("device: a run on CUDA agrees with the CPU's", "[cuda]") {
  if (!test::has_cuda()) return;
  const std::vector<float> there = nll_of(record("rtn", "device: cuda")),
                           here = nll_of(record("rtn", "device: cpu"));
  REQUIRE(there.size() == here.size());
  double difference = 0;
  for (size_t i = 0; i < here.size(); ++i) difference += there[i] - here[i];
  // Single codes may fall to the other side of a threshold: means agree, not every token.
  CHECK(std::abs(difference) / static_cast<double>(here.size()) < 1e-3);
}
