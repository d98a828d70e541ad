#include "experiments/sensitivity/sensitivity.h"

#include <sstream>

#include "analysis/report/show.h"
#include "core/base/hdf5/hdf5.h"
#include "datasets/tasks/common/statistics.h"
#include "experiments/commands/commands.h"
#include "experiments/run/runner.h"
#include "tests/support/catch.h"
#include "tests/support/memory_recorder.h"

using namespace wkvq;

namespace {

std::string config(const std::string& method, const std::string& more = "") {
  return fmt::format(
      "model: {{path: {}}}\nmethod: {}\n"
      "calibration: {{dataset: {{name: self, samples: 2, length: 48, seed: 1}}, samples: 2, "
      "length: "
      "48}}\n"
      "evaluate:\n  - {{task: perplexity, dataset: {{name: self, samples: 3, length: 48}}, name: "
      "text}}\n{}",
      test::source("datasets/mini").string(), method, more);
}

SensitivityPlan plan_of(const std::string& text) {
  return read_sensitivity(parse_yaml(text, "s.yaml"));
}

/// Where text sampled by one test is kept for the next.
const std::filesystem::path& cache() {
  static const test::TemporaryFolder folder;
  return folder.path();
}

template <class T>
std::vector<T> column(const test::MemoryRecorder& recorder, const std::string& name) {
  return std::get<std::vector<T>>(recorder.columns.at(name));
}

test::MemoryRecorder probes(const std::string& text) {
  Session session(cache());
  test::MemoryRecorder recorder;
  int64_t last = 0, most = 0;
  const SensitivityPlan plan = plan_of(text);
  check_sensitivity(plan, session);
  execute_sensitivity(plan, session, recorder, [&](int64_t done, int64_t total) {
    CHECK(done == ++last);
    most = total;
  });
  CHECK(last == most);
  return recorder;
}

std::vector<double> run_nll(const std::string& text) {
  Session session(cache());
  test::MemoryRecorder recorder;
  execute_run(read_run_config(parse_yaml(text, "run.yaml")), session, recorder);
  const auto nll = column<float>(recorder, "/evaluation/perplexity.text/nll");
  return {nll.begin(), nll.end()};
}

constexpr const char* kGrids = "weight: {bits: 16, group_size: 64}, kv: {bits: 16}";

}  // namespace

TEST_CASE("sensitivity: a probe equals a run whose rules quantize just that part") {
  for (const std::string rounding : {"rtn", "gptq"}) {
    const test::MemoryRecorder recorder = probes(config(
        fmt::format("{{name: {}, weight: {{bits: 4, group_size: 64}}, kv: {{bits: 4}}}}", rounding),
        "sensitivity: {bits: [3]}\n"));
    const auto block = column<int64_t>(recorder, "/sensitivity/block");
    const auto part = column<std::string>(recorder, "/sensitivity/part");
    const auto increase = column<double>(recorder, "/sensitivity/nll_increase");
    const auto error = column<double>(recorder, "/sensitivity/stderr");
    REQUIRE(block.size() == 6 * 3);
    const std::string how = rounding == "gptq" ? "gptq" : "nearest";
    const std::vector<double> exact = run_nll(config(fmt::format("{{name: rtn, {}}}", kGrids)));
    for (const size_t i : {size_t{3}, size_t{4}, size_t{5}, size_t{15}}) {
      const std::string place = part[i] == "keys"     ? "key"
                                : part[i] == "values" ? "value"
                                                      : "*_proj";
      const std::vector<double> nll =
          run_nll(config(fmt::format("{{name: mixed, rounding: {}, {}, rules: [{{match: "
                                     "'block_{:02}/{}', bits: 3}}]}}",
                                     how, kGrids, block[i], place)));
      std::vector<std::vector<double>> paired(3);
      REQUIRE(nll.size() == 3 * 47);
      for (size_t j = 0; j < nll.size(); ++j) paired[j / 47].push_back(nll[j] - exact[j]);
      const ClusteredMean mean = clustered_mean(paired);
      INFO(rounding << ": block " << block[i] << ", " << part[i]);
      // The same operations on the same numbers: no tolerance.
      CHECK(increase[i] == mean.mean);
      CHECK(error[i] == mean.standard_error);
      CHECK(mean.mean != 0);
    }
  }
}

TEST_CASE("sensitivity: formats are probed beside bits, and a budget picks among both") {
  const test::MemoryRecorder recorder = probes(config(
      "{name: rtn, weight: {bits: 4, group_size: 64}, kv: {bits: 4}}",
      "sensitivity: {bits: [4], formats: [{format: q4_0}, {format: fp8_e4m3_cast}], weights: "
      "false, values: false}\n"));
  const auto format = column<std::string>(recorder, "/sensitivity/format");
  const auto bits = column<int64_t>(recorder, "/sensitivity/bits");
  const auto stored = column<double>(recorder, "/sensitivity/stored_bits");
  const auto increase = column<double>(recorder, "/sensitivity/nll_increase");
  REQUIRE(format.size() == 6 * 3);
  CHECK((format[0].empty() && format[1] == "q4_0" && format[2] == "fp8_e4m3_cast"));
  CHECK((bits[0] == 4 && bits[1] == 4 && bits[2] == 8));
  CHECK((stored[1] == 4.5 && stored[2] == 8));
  // As a rule of `mixed` that names the format; the same operations, no tolerance.
  const std::vector<double> exact = run_nll(config(fmt::format("{{name: rtn, {}}}", kGrids)));
  const std::vector<double> nll = run_nll(config(
      fmt::format("{{name: mixed, {}, rules: [{{match: block_00/key, format: q4_0}}]}}", kGrids)));
  std::vector<std::vector<double>> paired(3);
  REQUIRE(nll.size() == 3 * 47);
  for (size_t j = 0; j < nll.size(); ++j) paired[j / 47].push_back(nll[j] - exact[j]);
  CHECK(increase[1] == clustered_mean(paired).mean);
  CHECK(increase[1] != increase[0]);
  for (const char* wrong : {"{format: int4}", "{format: int9}", "{format: q4_0}, {format: q4_0}"})
    CHECK_THROWS_AS(plan_of(config("{name: rtn, kv: {bits: 4}}",
                                   fmt::format("sensitivity: {{formats: [{}]}}\n", wrong))),
                    ConfigError);
}

TEST_CASE("sensitivity: which errors a part causes, and what it stores") {
  const test::MemoryRecorder recorder =
      probes(config("{name: rtn, weight: {group_size: 64}, kv: {scale_dtype: float16}}",
                    "sensitivity: {bits: [8, 2]}\n"));
  const auto part = column<std::string>(recorder, "/sensitivity/part");
  const auto bits = column<int64_t>(recorder, "/sensitivity/bits");
  const auto logits = column<double>(recorder, "/sensitivity/logit_error");
  const auto output = column<double>(recorder, "/sensitivity/output_error");
  const auto stored = column<double>(recorder, "/sensitivity/stored_bits");
  const auto elements = column<int64_t>(recorder, "/sensitivity/elements");
  REQUIRE(part.size() == 6 * 3 * 2);
  for (size_t i = 0; i < part.size(); i += 2) {
    INFO("row " << i << ", " << part[i]);
    CHECK(bits[i] == 8);
    CHECK(bits[i + 1] == 2);
    CHECK((logits[i] == 0) == (part[i] == "values"));
    // 64 times the step: sums of squares of the same noise, of which 10 times is far below.
    if (part[i] != "values") CHECK(logits[i + 1] > 10 * logits[i]);
    CHECK(output[i] > 0);
    CHECK(output[i + 1] > 10 * output[i]);
    // weights: scale of 32 bits and a zero point, both by 64; cache: two float16 by 64.
    CHECK(stored[i] == Approx(part[i] == "weights" ? 8 + (32 + 8) / 64.0 : 8 + 32 / 64.0));
    CHECK(elements[i] == elements[i % 6]);
  }
}

TEST_CASE("sensitivity: what cannot be probed") {
  const std::string rtn = "{name: rtn, kv: {bits: 4}}";
  REQUIRE_CONFIG_ERROR(read_run_config(parse_yaml(config(rtn, "sensitivity: {}\n"), "s.yaml")),
                       "s.yaml:6:1: sensitivity: is for `wkvq sensitivity`");
  REQUIRE_CONFIG_ERROR(plan_of(config(rtn, "sensitivity: {bits: [16]}\n")),
                       "s.yaml:6:21: sensitivity.bits: 16 bits; expected 2 to 8");
  REQUIRE_CONFIG_ERROR(plan_of(config(rtn, "sensitivity: {bits: [4, 4]}\n")), "every number once");
  REQUIRE_CONFIG_ERROR(plan_of(config(rtn, "sensitivity: {bit: [4]}\n")), "did you mean 'bits'");
  REQUIRE_CONFIG_ERROR(
      plan_of(config(rtn, "sensitivity: {weights: false, keys: false, values: false}\n")),
      "expected one of weights, keys and values");
  const std::string two = "  - {task: cloze, dataset: {name: self}}\n";
  REQUIRE_CONFIG_ERROR(plan_of(config(rtn, two)), "expected one entry, of task perplexity");
  Session session(cache());
  REQUIRE_CONFIG_ERROR(
      check_sensitivity(plan_of(config("{name: mixed, rules: [{match: block_02/value, bits: 4}]}")),
                        session),
      "method 'mixed' quantizes more than the weights of block 2");
}

TEST_CASE("sensitivity: the command writes one run file, from which mixed picks bits") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "small.yaml", config("{name: rtn, kv: {bits: 4}}",
                                                 "sensitivity: {bits: [4, 2], weights: false}\n"));
  const SweepOptions options{.file = folder / "small.yaml", .results = folder / "results"};
  std::ostringstream first, again;
  REQUIRE(sensitivity_command(options, first) == 0);
  REQUIRE(sensitivity_command(options, again) == 0);
  CHECK(again.str().starts_with("done before: "));
  const std::string file = again.str().substr(13, again.str().size() - 14);

  std::ostringstream shown;
  REQUIRE(show_command(file, "table", shown) == 0);
  for (const char* text : {"nll_increase", "logit_error", "windows", "sensitivity.keys"})
    CHECK(shown.str().find(text) != std::string::npos);

  const std::string mixed = config(fmt::format(
      "{{name: mixed, weight: {{bits: 16}}, budget: {{from: {}, average_kv_bits: 3}}}}", file));
  test::write_file(folder / "mixed.yaml", mixed);
  std::ostringstream out;
  REQUIRE(run_command({.file = folder / "mixed.yaml", .results = folder / "results"}, out) == 0);
  Session session(folder / "results/.cache");
  const RunConfig run = read_run_config(parse_yaml(mixed, "mixed.yaml"));
  // The file is part of the run's identity.
  const std::string id = std::get<std::string>(*hdf5::Reader(file).attribute("/", "run_id"));
  CHECK(fingerprints_of(run, session).data.front() == id);
  int64_t total = 0;
  for (int64_t layer = 0; layer < 6; ++layer)
    total += run.method->kv_of(layer, {}).key.bits + run.method->kv_of(layer, {}).value.bits;
  CHECK(total <= 3 * 12);
  test::MemoryRecorder recorder;
  execute_run(run, session, recorder);
  // Costs are averages over places; scale and minimum of 32 bits by 64 add 1.
  const auto cost = [&](const std::string& name) {
    return std::get<double>(recorder.attributes.at("/cost/stored_bits_per_" + name));
  };
  CHECK((cost("key") + cost("value")) / 2 == Approx(static_cast<double>(total) / 12 + 1));
  CHECK(recorder.columns.contains("/calibration/front_kv/loss"));
  CHECK(std::get<double>(recorder.attributes.at("/calibration/front_kv/average_bits")) ==
        Approx(static_cast<double>(total) / 12));
}
