#include <nlohmann/json.hpp>

#include "core/device/torch_headers.h"
#include "experiments/run/runner.h"
#include "tests/support/catch.h"
#include "tests/support/memory_recorder.h"

using namespace wkvq;

TEST_CASE("golden: rolling perplexity of the embedded model equals lm-evaluation-harness") {
  const auto golden =
      nlohmann::json::parse(std::ifstream(test::source("tests/golden/rolling/lm_eval.json")));
  for (const auto& result : golden["results"]) {
    const std::string text = fmt::format(
        "model: {{path: {}, dtype: float64}}\n"
        "method: {{name: rtn}}\n"
        "evaluate:\n  - {{task: rolling_perplexity, dataset: {{name: wikitext2, path: {}}}, "
        "context: {}, bos: {}, name: golden}}\n",
        test::source("datasets/mini").string(),
        test::source("tests/golden/rolling/wiki.test.raw").string(), result["context"].get<int>(),
        result["bos"].get<bool>() ? "start" : "none");
    const RunConfig config = read_run_config(parse_yaml(text, "rolling.yaml"));
    Session session("unused");
    test::MemoryRecorder recorder;
    execute_run(config, session, recorder);
    const auto nll = std::get<std::vector<double>>(
        recorder.columns.at("/evaluation/word_perplexity.golden/nll"));
    REQUIRE(nll.size() == result["loglikelihood"].size());
    // NLLs of tokens are kept in float32, 6e-8 of each, and transformers turns by float32 angles.
    for (size_t i = 0; i < nll.size(); ++i)
      CHECK(-nll[i] == Approx(result["loglikelihood"][i].get<double>()).epsilon(3e-7));
    for (const char* metric : {"word_perplexity", "byte_perplexity", "bits_per_byte"}) {
      const auto value = std::get<double>(
          recorder.attributes.at(fmt::format("/evaluation/{}.golden/value", metric)));
      // 3e-7 of up to 7 nats a word, in the exponent.
      CHECK(value == Approx(result[metric].get<double>()).epsilon(2e-6));
    }
  }
}
