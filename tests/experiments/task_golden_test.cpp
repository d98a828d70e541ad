#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/json/json.h"
#include "experiments/run/runner.h"
#include "tests/support/catch.h"
#include "tests/support/memory_recorder.h"

using namespace wkvq;

namespace {

template <class T>
T row(const test::MemoryRecorder& recorder, const std::string& column, size_t i) {
  return std::get<std::vector<T>>(recorder.columns.at("/evaluation/" + column)).at(i);
}

void check_item(const test::MemoryRecorder& ours, const std::string& task, size_t i,
                const nlohmann::json& theirs) {
  INFO(task << ", item " << i);
  const bool match = ours.columns.contains("/evaluation/acc." + task + "/ll");
  const auto& expected = theirs["loglikelihood"];
  for (size_t c = 0; c < expected.size(); ++c) {
    const std::string name = match ? "/ll" : fmt::format("/ll_{}", c);
    // Each term is stored in float32, 5e-7 at magnitude 16, and no item has more than 40.
    CHECK(std::abs(row<double>(ours, "acc." + task + name, i) - expected[c].get<double>()) < 2e-5);
  }
  if (match) {
    CHECK((row<int64_t>(ours, "acc." + task + "/greedy", i) == 1) == theirs["greedy"].get<bool>());
    return;
  }
  for (const std::string metric : {"acc", "acc_norm"}) {
    if (!ours.columns.contains("/evaluation/" + metric + "." + task + "/label")) continue;
    CHECK(row<int64_t>(ours, metric + "." + task + "/label", i) == theirs["label"].get<int64_t>());
    CHECK((row<int64_t>(ours, metric + "." + task + "/correct", i) == 1) ==
          theirs[metric].get<bool>());
  }
}

}  // namespace

TEST_CASE("golden: log-likelihoods of tasks equal an independent implementation's") {
  const auto golden = read_json_file(test::source("tests/golden/tasks.json"));
  const test::TemporaryFolder folder;
  std::string text =
      fmt::format("model: {{path: {}, dtype: float64}}\nmethod: {{name: rtn}}\nevaluate:\n",
                  test::source("datasets/mini").string());
  for (const auto& [task, content] : golden.items()) {
    std::string lines;
    for (const auto& record : content["records"]) lines += record.dump() + "\n";
    test::write_file(folder / (task + ".jsonl"), lines);
    text += fmt::format("  - {{task: {}, bos: start, name: {}}}\n", task, task);
  }
  const RunConfig config = read_run_config(parse_yaml(text, "golden.yaml"));
  Session session(folder / "cache", folder.path());
  test::MemoryRecorder recorder;
  execute_run(config, session, recorder);
  for (const auto& [task, content] : golden.items())
    for (size_t i = 0; i < content["items"].size(); ++i)
      check_item(recorder, task, i, content["items"][i]);
  const auto convention =
      std::get<std::string>(recorder.attributes.at("/evaluation/acc.piqa/convention"));
  CHECK(convention.find("one BOS at the start, 2 of 4 requests cut on the left to 512 tokens") !=
        std::string::npos);
  CHECK(std::get<std::string>(recorder.attributes.at("/evaluation/acc.piqa/kv_mode")) ==
        "past-context");
}
