#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/run/run_summary.h"
#include "experiments/commands/commands.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

/// The options that a row of the reference tables stands for.
struct Row {
  std::string weight = "{bits: 16}";
  std::string kv = "bits: 16";
  std::string view = "{mode: past}";
  int64_t score_from = 1;
};

bool starts_with(const std::string& text, const std::string& part) {
  return text.rfind(part, 0) == 0;
}

int64_t number_after(const std::string& text, const std::string& part) {
  return std::stoll(text.substr(text.find(part) + part.size()));
}

Row parse(const std::string& name) {
  Row row;
  if (name.find("scored from") != std::string::npos)
    row.score_from = number_after(name, "scored from ");
  if (starts_with(name, "none")) return row;
  if (starts_with(name, "w")) {
    const bool symmetric = name.find("form C") != std::string::npos;
    const int64_t group =
        name.find("group ") != std::string::npos ? number_after(name, "group ") : -1;
    row.weight = fmt::format("{{bits: {}, group_size: {}, form: {}}}", number_after(name, "w"),
                             group, symmetric ? "symmetric" : "zero_point");
    if (name.find("kv") != std::string::npos)
      row.kv = fmt::format("bits: {}", number_after(name, "kv"));
    return row;
  }
  if (starts_with(name, "kivi")) {
    row.kv = fmt::format("bits: {}, key: {{axis: time, group_size: {}}}",
                         number_after(name, "kivi "), number_after(name, "key groups "));
    row.view = fmt::format("{{mode: kivi, window: {}}}", number_after(name, "window "));
    return row;
  }
  if (starts_with(name, "kv")) row.kv = fmt::format("bits: {}", number_after(name, "kv"));
  if (starts_with(name, "k4v16")) row.kv = "key: {bits: 4}";
  if (starts_with(name, "k16v4")) row.kv = "value: {bits: 4}";
  if (name.find("static channel") != std::string::npos) {
    const bool scale = name.find("scale") != std::string::npos;
    row.kv += scale ? fmt::format(", channel: {{shift: static, scale: static, exponent: {}}}",
                                  std::stod(name.substr(name.find("exponent ") + 9)))
                    : ", channel: {shift: static}";
  }
  if (name.find(" all") != std::string::npos) row.view = "{mode: all}";
  if (name.find("past window") != std::string::npos)
    row.view = fmt::format("{{mode: past, window: {}, sinks: {}}}", number_after(name, "window "),
                           number_after(name, "sinks "));
  if (name.find("prefill") != std::string::npos)
    row.view = fmt::format("{{mode: past, prefill: {}}}", number_after(name, "prefill "));
  return row;
}

/// The rows as explicit runs of one sweep over dataset `tokens`.
std::string sweep_text(const std::vector<std::string>& names, const std::string& model,
                       const std::string& tokens) {
  const std::string data = fmt::format("{{name: tokens, path: {}, tensor: ", tokens);
  std::string text = fmt::format(
      "name: reference\n"
      "model: {{path: {}, dtype: float64}}\n"
      "calibration: {{dataset: {}calibration}}, samples: 1, length: 2}}\n"
      "method: {{name: rtn}}\n"
      "evaluate:\n  - {{task: perplexity, dataset: {}test}}, name: test, view: {{mode: past}}}}\n"
      "sweep:\n  runs:\n",
      model, data, data);
  for (const std::string& name : names) {
    const Row row = parse(name);
    text += fmt::format(
        "    - {{method.weight: {}, method.kv: {{{}}}, evaluate.0.view: {}, evaluate.0.score_from: "
        "{}}}\n",
        row.weight, row.kv, row.view, row.score_from);
  }
  return text;
}

void check_reference(const std::string& model) {
  const auto json_path = test::shared("reference/" + model + ".json");
  if (json_path.empty()) return;
  const auto tokens = test::shared("reference/" + model + "_tokens.safetensors");
  const auto folder = test::shared("data/models/" + model);
  const auto reference = nlohmann::ordered_json::parse(std::ifstream(json_path));
  std::vector<std::string> names;
  for (const auto& [name, value] : reference["perplexity"].items()) names.push_back(name);

  const test::TemporaryFolder temporary;
  std::string text = sweep_text(names, folder.string(), tokens.string());
  const auto& calibration = reference["calibration"];
  const std::string sized =
      fmt::format("samples: {}, length: {}", calibration[0].get<int>(), calibration[1].get<int>());
  text.replace(text.find("samples: 1, length: 2"), 21, sized);
  test::write_file(temporary / "reference.yaml", text);

  SweepOptions options{.file = temporary / "reference.yaml", .results = temporary / "results"};
  std::ostringstream out;
  REQUIRE(run_command(options, out) == 0);
  INFO(out.str());

  // Runs are named by content, so the rows are found again by planning them one by one.
  std::ostringstream plan;
  REQUIRE(plan_command(options, plan) == 0);
  std::istringstream lines(plan.str());
  for (const std::string& name : names) {
    std::string line;
    std::getline(lines, line);
    REQUIRE(starts_with(line, "done"));
    const std::string id = line.substr(line.rfind(' ') + 1);
    const RunSummary run = read_run(temporary / ("results/reference/" + id + ".h5"));
    const double expected = reference["perplexity"][name].get<double>();
    INFO(model << ", " << name << ": " << run.evaluations.at(0).value << ", reference "
               << expected);
    CHECK(std::abs(run.evaluations.at(0).value / expected - 1) <
          1e-6);  // the bound of the references
  }
}

}  // namespace

TEST_CASE("reference: every row of stories260K in float64") {
  check_reference("stories260K");
}

TEST_CASE("reference: every row of mini in float64") {
  check_reference("mini");
}
