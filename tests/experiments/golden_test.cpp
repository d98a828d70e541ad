#include <cmath>
#include <nlohmann/json.hpp>

#include "core/calibrate/pipeline.h"
#include "core/device/torch_headers.h"
#include "core/generate/decoder.h"
#include "core/model/model_source.h"
#include "experiments/run/runner.h"
#include "experiments/score/evaluation.h"
#include "tests/support/catch.h"
#include "tests/support/memory_recorder.h"
#include "tests/support/npy.h"

using namespace wkvq;

namespace {

/// Runs one configuration on the windows of the golden file and returns perplexity, from its raw
/// rows.
double perplexity(const std::string& method, const std::string& view, const std::string& windows) {
  const std::string text = fmt::format(
      "model: {{path: {}, dtype: float64}}\n"
      "method: {}\n"
      "evaluate:\n  - {{task: perplexity, dataset: {{name: tokens, path: {}}}, name: golden, view: "
      "{}}}\n",
      test::source("datasets/mini").string(), method, windows, view);
  const RunConfig config = read_run_config(parse_yaml(text, "golden.yaml"));
  Session session("unused");
  test::MemoryRecorder recorder;
  execute_run(config, session, recorder);
  const auto nll =
      std::get<std::vector<float>>(recorder.columns.at("/evaluation/perplexity.golden/nll"));
  double sum = 0;
  for (const float x : nll) sum += static_cast<double>(x);
  return std::exp(sum / static_cast<double>(nll.size()));
}

/// By request: the hidden states that predict its scored tokens.
std::vector<at::Tensor> predicting(const PreparedEvaluation& prepared,
                                   const std::vector<at::Tensor>& hidden) {
  std::vector<at::Tensor> states(prepared.requests().size());
  for (size_t b = 0; b < hidden.size(); ++b) {
    const RequestBatch& batch = prepared.batches[b];
    for (size_t i = 0; i < batch.requests.size(); ++i)
      states[batch.requests[i]] =
          hidden[b].flatten(0, 1).index_select(0, at::tensor(batch.predictors[i], at::kLong));
  }
  return states;
}

}  // namespace

TEST_CASE("golden: perplexities of the embedded model equal an independent decoder's") {
  const auto golden =
      nlohmann::json::parse(std::ifstream(test::source("tests/golden/mini_reference.json")));
  const test::TemporaryFolder folder;
  const std::string windows = (folder / "windows.npy").string();
  test::write_npy(windows, golden["windows"]);
  struct Row {
    const char *name, *method, *view;
  };
  const std::vector<Row> rows{
      {"none", "{name: rtn}", "{mode: past}"},
      {"kv4 past", "{name: rtn, kv: {bits: 4}}", "{mode: past}"},
      {"kv3 past", "{name: rtn, kv: {bits: 3}}", "{mode: past}"},
      {"kv2 past", "{name: rtn, kv: {bits: 2}}", "{mode: past}"},
      {"kv3 all", "{name: rtn, kv: {bits: 3}}", "{mode: all}"},
      {"kv2 past window 8 sinks 2", "{name: rtn, kv: {bits: 2}}",
       "{mode: past, window: 8, sinks: 2}"},
      {"w4 group 32", "{name: rtn, weight: {bits: 4, group_size: 32}}", "{mode: past}"},
      {"w3 row, kv3 past", "{name: rtn, weight: {bits: 3}, kv: {bits: 3}}", "{mode: past}"},
  };
  REQUIRE(golden["perplexity"].size() == rows.size());
  for (const Row& row : rows) {
    const double value = perplexity(row.method, row.view, windows);
    INFO(row.name << ": " << value);
    // Raw rows are stored in float32: 6e-8 each, less in the mean.
    CHECK(std::abs(value / golden["perplexity"][row.name].get<double>() - 1) < 1e-7);
  }
}

TEST_CASE("model: a packed pass and a padded pass equal decoding through the cache, float64") {
  const test::TemporaryFolder folder;
  for (const char* view : {"{mode: past}", "{mode: all}", "{mode: past, window: 5, sinks: 2}",
                           "{mode: past, prefill: 7}", "{mode: kivi, window: 8}"}) {
    const bool kivi = std::string(view).find("kivi") != std::string::npos;
    for (const bool context_prefill : {false, true}) {
      const std::string text = fmt::format(
          "model: {{path: {}, dtype: float64}}\n"
          "method: {{name: rtn, weight: {{bits: 4, group_size: 64}}, kv: {{bits: 3{}, view: "
          "{}}}}}\n"
          "evaluate:\n"
          "  - {{task: cloze, dataset: {{name: self, samples: 3, length: 64}}, items: 6, context: "
          "21, continuation: 4}}\n",
          test::source("datasets/mini").string(), kivi ? ", key: {axis: time, group_size: 4}" : "",
          view);
      const RunConfig config = read_run_config(parse_yaml(text, "model.yaml"));
      Session session(folder / "cache");
      ModelSource& source = *session.model(config.model).source;
      PreparedEvaluation packed = prepare_evaluations(config, session)[0];
      // Unequal lengths and prefills, and choices that share more than their context.
      std::vector<Request> requests = packed.requests();
      for (size_t i = 0; i < requests.size(); ++i) {
        requests[i].tokens.resize(requests[i].tokens.size() - i % 3);
        requests[i].prefill -= static_cast<int64_t>(i % 5);
        requests[i].tokens[21] = requests[0].tokens[21];
      }
      BatchingOptions options{.view = config.method->kv().view, .context_prefill = context_prefill};
      PreparedEvaluation padded = packed;
      padded.batches = make_batches(requests, options);
      options.pack = true;
      packed.batches = make_batches(requests, options);
      BlockPass pass{
          .streams = {embed_stream(source, padded, false), embed_stream(source, packed, false)},
          .keep_blocks = true};
      test::MemoryRecorder recorder;
      run_blocks(source, *config.method, pass, recorder);
      const auto slow = predicting(padded, decode_stream(source, padded, pass.blocks));
      INFO(view << ", prefill of each context: " << context_prefill);
      for (size_t s = 0; s < 2; ++s) {
        std::vector<at::Tensor> hidden;
        for (const StreamBatch& batch : pass.streams[s].batches) hidden.push_back(batch.hidden);
        const auto fast = predicting(s == 0 ? padded : packed, hidden);
        REQUIRE(fast.size() == slow.size());
        // The project's bound for equal views in float64.
        for (size_t i = 0; i < slow.size(); ++i)
          REQUIRE((fast[i] - slow[i]).abs().max().item<double>() < 1e-9);
      }
    }
  }
}

TEST_CASE("model: a padded row of a batch equals the row alone") {
  const test::TemporaryFolder folder;
  const std::string text = fmt::format(
      "model: {{path: {}, dtype: float64}}\nmethod: {{name: rtn, kv: {{bits: 3}}}}\n"
      "evaluate:\n  - {{task: cloze, dataset: {{name: self, samples: 3, length: 64}}, items: 2}}\n",
      test::source("datasets/mini").string());
  const RunConfig config = read_run_config(parse_yaml(text, "model.yaml"));
  Session session(folder / "cache");
  ModelSource& source = *session.model(config.model).source;
  const at::Tensor tokens = at::arange(60, at::kLong).view({2, 30}) * 7;
  const KvViewOptions past{.mode = ViewMode::kPast};
  BlockPass pass{
      .streams = {{.batches = {{source.embed(tokens), past},
                               {source.embed(tokens.narrow(0, 1, 1).narrow(1, 0, 11)), past}}}}};
  test::MemoryRecorder recorder;
  run_blocks(source, *config.method, pass, recorder);
  const auto& batches = pass.streams[0].batches;
  // Products of another shape may sum in another order: a few ulp through six blocks.
  REQUIRE(
      (batches[0].hidden[1].narrow(0, 0, 11) - batches[1].hidden[0]).abs().max().item<double>() <
      1e-10);
}
