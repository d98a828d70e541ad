#include <sstream>

#include "core/device/torch_headers.h"
#include "experiments/bench/bench.h"
#include "experiments/run/failure.h"
#include "experiments/run/runner.h"
#include "tests/support/catch.h"
#include "tests/support/memory_recorder.h"
#include "tests/support/pretended_device.h"

using namespace wkvq;

// Whole runs on a device that is none: see the header of the pretended device.
namespace {

/// What a run of `method` and `evaluations` on mini records; {} in them stands for a text.
test::MemoryRecorder record(const std::string& device, const std::string& method,
                            const std::string& evaluations) {
  const test::TemporaryFolder folder;
  std::string story;
  for (int day = 1; day < 12; ++day)
    story += fmt::format("On day {} the fox found {} red berries and ate one of them. ", day, day);
  test::write_file(folder / "story.txt", story);
  const RunConfig config = read_run_config(parse_yaml(
      fmt::format("model: {{path: {}, dtype: float32, {}}}\nmethod: {}\nevaluate:\n{}",
                  test::source("datasets/mini").string(), device, method,
                  fmt::format(fmt::runtime(evaluations), (folder / "story.txt").string())),
      "pretended.yaml"));
  Session session(folder.path());
  test::MemoryRecorder recorder;
  execute_run(config, session, recorder);
  return recorder;
}

double value_of(const test::MemoryRecorder& recorder, const std::string& name) {
  return std::get<double>(recorder.attributes.at("/evaluation/" + name + "/value"));
}

constexpr const char* kText =
    "  - {{task: perplexity, dataset: {{name: text, path: {}}}, context: 40, windows: 2, kl: true, "
    "name: text}}\n";

}  // namespace

TEST_CASE("pretended device: a run scores as on the CPU, its states on the device or waiting") {
  test::pretended_device();
  const std::string method = "{name: rtn, weight: {bits: 4, group_size: 64}, kv: {bits: 8}}";
  const test::MemoryRecorder cpu = record("device: cpu", method, kText),
                             device = record("device: pretended", method, kText),
                             host = record("device: pretended, activations: host", method, kText);
  // Attention sums in another order, by which codes of 8 bits may fall to the other side: by far
  // less than the 0.1 nats that quantization costs.
  CHECK(std::log(value_of(device, "perplexity.text")) ==
        Approx(std::log(value_of(cpu, "perplexity.text"))).margin(2e-3));
  CHECK(value_of(device, "kl.text") == Approx(value_of(cpu, "kl.text")).margin(2e-3));
  CHECK(value_of(host, "perplexity.text") == value_of(device, "perplexity.text"));
}

TEST_CASE(
    "pretended device: rows of unequal length generate from packed caches as from simulated") {
  test::pretended_device();
  const std::string tasks =
      "  - {{task: kv_recall, length: 60, items: 2, depths: [50], name: simulated}}\n"
      "  - {{task: kv_recall, length: 60, items: 2, depths: [50], name: packed, "
      "storage: packed}}\n";
  for (const char* const method :
       {"{name: rtn, weight: {bits: 4, group_size: 64}, kv: {bits: 4, group_size: 64}}",
        "{name: kivi, kv: {bits: 4, key: {group_size: 16}, view: {window: 32}}}"}) {
    const test::MemoryRecorder recorder = record("device: pretended", method, tasks);
    const auto written = [&](const std::string& name) {
      return std::get<std::vector<std::string>>(
          recorder.columns.at("/evaluation/acc." + name + "/answer"));
    };
    INFO(method);
    CHECK(written("packed") == written("simulated"));
  }
}

TEST_CASE("pretended device: out of memory ends a run with what to change") {
  test::pretended_device();
  test::limit_pretended_bytes(test::pretended_bytes() + (int64_t{8} << 20));  // less than mini
  std::string told;
  try {
    record("device: pretended", "{name: rtn, weight: {bits: 4}}", kText);
  } catch (const std::exception& error) {
    told = failure_text(error);
  }
  test::limit_pretended_bytes(-1);
  CHECK_THAT(told, Catch::Contains("out of memory") && Catch::Contains("model.blocks: streaming"));
}

TEST_CASE("pretended device: a whole decode step is benchmarked, packed and exact") {
  test::pretended_device();
  const BenchOptions options{.what = "end-to-end",
                             .model = "1b",
                             .layers = 1,
                             .contexts = {64},
                             .repeat = 1,
                             .device = "pretended"};
  std::ostringstream out;
  REQUIRE(bench_command(options, out) == 0);
  CHECK_THAT(out.str(), Catch::Contains("packed W4KV4") && Catch::Contains("float16"));
}
