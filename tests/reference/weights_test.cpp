#include <map>
#include <sstream>

#include "core/base/hdf5/hdf5.h"
#include "core/base/run/run_summary.h"
#include "experiments/commands/commands.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

using Losses = std::vector<float>;

/// NLL of every scored token, in order, by method.
std::map<std::string, Losses> losses(const std::string& weight) {
  const auto tokens = test::shared("reference/stories260K_tokens.safetensors");
  const auto model = test::shared("data/models/stories260K");
  const std::string data = fmt::format("{{name: tokens, path: {}, tensor: ", tokens.string());
  const test::TemporaryFolder folder;
  test::write_file(
      folder / "weights.yaml",
      fmt::format(
          "name: weights\nmodel: {{path: {}}}\n"
          "calibration: {{dataset: {}calibration}}, samples: 48, length: 256}}\n"
          "method: {{name: rtn, weight: {}}}\n"
          "evaluate:\n  - {{task: perplexity, dataset: {}test}}, name: test}}\n"
          "sweep:\n  runs:\n    - {{}}\n    - {{method.name: gptq}}\n    - {{method.name: awq}}\n"
          "    - {{method.name: omniquant, method.training: {{epochs: 10}}}}\n"
          "    - {{method.weight: {{bits: 16, group_size: -1}}}}\n",
          model.string(), data, weight, data));
  std::ostringstream out;
  REQUIRE(run_command({.file = folder / "weights.yaml", .results = folder / "results"}, out) == 0);
  std::map<std::string, Losses> by_method;
  for (const auto& file : std::filesystem::directory_iterator(folder / "results/weights")) {
    if (file.path().extension() != ".h5") continue;
    const hdf5::Reader reader(file.path());
    std::string method = std::get<std::string>(*reader.attribute("/config", "method.name"));
    if (std::get<int64_t>(*reader.attribute("/config", "method.weight.bits")) == 16)
      method = "none";
    by_method[method] = std::get<Losses>(reader.column("/evaluation/perplexity.test", "nll"));
  }
  return by_method;
}

/// How far the mean of a - b lies from 0, in standard errors over windows of 255 scored tokens.
double paired_errors(const Losses& a, const Losses& b) {
  constexpr size_t kScored = 255;
  REQUIRE(a.size() == b.size());
  REQUIRE(a.size() % kScored == 0);
  std::vector<double> windows(a.size() / kScored, 0.0);
  for (size_t i = 0; i < a.size(); ++i) windows[i / kScored] += static_cast<double>(a[i]) - b[i];
  double mean = 0, squares = 0;
  const auto n = static_cast<double>(windows.size());
  for (const double x : windows) mean += x / n;
  for (const double x : windows) squares += (x - mean) * (x - mean);
  return mean / std::sqrt(squares / (n - 1) / n);
}

}  // namespace

TEST_CASE("reference: gptq, awq and omniquant lie between full precision and rounding to nearest") {
  if (test::shared("reference/stories260K_tokens.safetensors").empty()) return;
  for (const char* weight : {"{bits: 4, group_size: -1}", "{bits: 3, group_size: 32}"}) {
    const auto nll = losses(weight);
    REQUIRE(nll.size() == 5);
    for (const char* method : {"gptq", "awq", "omniquant"}) {
      INFO(method << " with " << weight);
      // Two standard errors of the paired difference: one chance in forty to pass by luck.
      CHECK(paired_errors(nll.at(method), nll.at("rtn")) < -2);
      CHECK(paired_errors(nll.at(method), nll.at("none")) > 2);
    }
  }
}
