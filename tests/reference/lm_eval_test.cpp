#include <cmath>
#include <nlohmann/json.hpp>

#include "experiments/run/runner.h"
#include "tests/support/catch.h"
#include "tests/support/memory_recorder.h"

using namespace wkvq;

namespace {

const std::vector<std::string> kTasks = {"piqa",       "arc_easy", "arc_challenge",
                                         "hellaswag",  "boolq",    "winogrande",
                                         "openbookqa", "copa",     "lambada_openai"};

/// Every task over its first `limit` items in one pass over the model. The harness adds no
/// BOS of its own, but the post-processor of this tokenizer puts one in front: transformers does
/// not read its `add_bos_token: false`.
test::MemoryRecorder evaluate(const std::filesystem::path& model, const std::filesystem::path& data,
                              int64_t limit) {
  std::string text =
      fmt::format("model: {{path: {}}}\nmethod: {{name: rtn}}\nevaluate:\n", model.string());
  for (const std::string& task : kTasks)
    text += fmt::format("  - {{task: {}, limit: {}, bos: start, name: {}}}\n", task, limit, task);
  const RunConfig config = read_run_config(parse_yaml(text, "lm_eval.yaml"));
  Session session("unused", data);
  test::MemoryRecorder recorder;
  execute_run(config, session, recorder);
  return recorder;
}

double value(const test::MemoryRecorder& recorder, const std::string& metric) {
  return std::get<double>(recorder.attributes.at("/evaluation/" + metric + "/value"));
}

std::vector<double> column(const test::MemoryRecorder& recorder, const std::string& name) {
  return std::get<std::vector<double>>(recorder.columns.at("/evaluation/" + name));
}

void check_task(const test::MemoryRecorder& ours, const std::string& task,
                const nlohmann::json& theirs) {
  INFO(task);
  // Shares of 400 items: equal to the last item; one more or less is 0.0025.
  for (const char* metric : {"acc", "acc_norm"}) {
    if (!theirs.contains(metric)) continue;
    INFO(metric);
    CHECK(value(ours, std::string(metric) + "." + task) ==
          Approx(theirs[metric].get<double>()).margin(1e-9));
  }
  const bool match = theirs.contains("perplexity");
  if (match)
    // A mean of log-likelihoods that are each within 1e-3.
    CHECK(std::abs(std::log(value(ours, "perplexity." + task)) -
                   std::log(theirs["perplexity"].get<double>())) < 1e-3);
  for (size_t i = 0; i < theirs["items"].size(); ++i) {
    const auto& expected = theirs["items"][i]["loglikelihood"];
    for (size_t c = 0; c < expected.size(); ++c) {
      INFO("item " << i << ", choice " << c);
      const std::string name = match ? "/ll" : fmt::format("/ll_{}", c);
      // Float32 on both sides, sums of up to a hundred terms of magnitude 10.
      CHECK(std::abs(column(ours, "acc." + task + name)[i] - expected[c].get<double>()) < 1e-3);
    }
  }
}

}  // namespace

TEST_CASE("reference: nine tasks as lm-evaluation-harness scores them on mini") {
  const auto reference = test::shared("reference/lm_eval_mini.json");
  if (reference.empty()) return;
  const auto theirs = nlohmann::json::parse(std::ifstream(reference));
  const int64_t limit = theirs["items per task"].get<int64_t>();
  const auto ours = evaluate(test::shared("data/models/mini"), test::shared("data/tasks"), limit);
  REQUIRE(theirs["tasks"].size() == kTasks.size());
  for (const std::string& task : kTasks) check_task(ours, task, theirs["tasks"][task]);
}
