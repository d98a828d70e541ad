#include "analysis/figures/figure.h"

#include "analysis/figures/svg.h"
#include "analysis/read/load_runs.h"
#include "tests/support/markup_check.h"
#include "tests/support/token_runs.h"

using namespace wkvq;
using test::token_run;

namespace {

/// Figure `name` of all runs in `folder`; what it draws must be sound SVG.
FigureResult figure(const std::string& name, const std::filesystem::path& folder) {
  const std::vector<RunSummary> runs = load_runs({folder});
  FigureResult result = figure_named(name).make(figure_input(runs));
  CHECK(result.panels.empty() != result.absent.empty());
  CHECK(test::xml_error(svg_file(result, name, Colours::kOfReader)) == "");
  return result;
}

/// 16 bits without loss, and 4 and 2 bits with KL 0.125 and 0.5.
void three_runs(const std::filesystem::path& folder) {
  const auto cost = [](double bits) {
    return [bits](Recorder& recorder) {
      recorder.attribute("/cost", "stored_bits_per_weight", 16.0);
      recorder.attribute("/cost", "stored_bits_per_key", bits + 1);
      recorder.attribute("/cost", "stored_bits_per_value", bits);
      recorder.attribute("/cost", "seconds_blocks", 2.0);
      recorder.attribute("/cost", "seconds_evaluation", 0.5);
    };
  };
  token_run(folder, 16, {{"kl", "kl", "kl", {0, 0, 0, 0}, 0, 0}}, cost(16));
  token_run(folder, 4, {{"kl", "kl", "kl", {0.0F, 0.25F, 0.0F, 0.25F}, 0.125, 0.01}}, cost(4));
  token_run(folder, 2, {{"kl", "kl", "kl", {0.25F, 0.5F, 0.75F, 0.5F}, 0.5, 0.02}}, cost(2));
}

std::filesystem::path with(const std::filesystem::path& folder, int bits,
                           const std::function<void(Recorder&)>& more) {
  return token_run(folder, bits, {}, more);
}

}  // namespace

TEST_CASE("every figure says why there is nothing to draw") {
  const test::TemporaryFolder folder;
  token_run(folder.path(), 4, {});
  for (const Figure& one : figures()) CHECK(figure(one.name, folder.path()).panels.empty());
  REQUIRE_CONFIG_ERROR(figure_named("paretto"), "did you mean 'pareto'");
}

TEST_CASE("figure pareto: sizes, losses, errors and the front") {
  const test::TemporaryFolder folder;
  three_runs(folder.path());
  const FigureResult result = figure("pareto", folder.path());
  REQUIRE(result.panels.size() == 1);
  const auto& curves = std::get<Curves>(result.panels[0].drawing);
  CHECK(curves.x.label == "stored bits of a key or value (mean, scales included)");
  CHECK(curves.y.log);
  REQUIRE(curves.series.size() == 3);  // a colour a setting, then the front
  CHECK(curves.series[0].name == "kv.bits 4");
  CHECK(curves.series[0].points[0].x == 4.5);
  CHECK(curves.series[0].points[0].y == 0.125);
  CHECK(curves.series[0].points[0].error == 0.01);
  const auto& front = curves.series[2].points;
  REQUIRE(front.size() == 2);
  CHECK(front[0].x == 2.5);
  CHECK(front[1].x == 4.5);
}

TEST_CASE("figure position: means over windows with their standard errors") {
  const test::TemporaryFolder folder;
  three_runs(folder.path());
  const FigureResult result = figure("position", folder.path());
  REQUIRE(result.panels.size() == 1);
  const auto& series = std::get<Curves>(result.panels[0].drawing).series;
  REQUIRE(series.size() == 2);  // full precision is left out
  CHECK(series[1].name == "kv.bits 2");
  REQUIRE(series[1].points.size() == 2);
  // Position 1: 0.25 and 0.75, mean 0.5, standard error sqrt(2 / 1 * 2 * 0.25^2) / 2 = 0.25.
  CHECK(series[1].points[0].x == 1);
  CHECK(series[1].points[0].y == 0.5);
  CHECK(series[1].points[0].error == Approx(0.25));
  CHECK(series[1].points[1].y == 0.5);
  CHECK(series[1].points[1].error == 0);
}

TEST_CASE("figure context: paired increases over full precision") {
  const test::TemporaryFolder folder;
  const auto bucket = [](Recorder& recorder) {
    recorder.attribute("/evaluation/nll_1_2.self", "task", "context_curve");
    recorder.attribute("/evaluation/nll_1_2.self", "first_position", int64_t{1});
    recorder.attribute("/evaluation/nll_1_2.self", "last_position", int64_t{2});
  };
  token_run(folder.path(), 16, {{"nll_1_2.self", "nll_1_2", "nll", {1, 2, 3, 4}, 2.5, 1}}, bucket);
  token_run(folder.path(), 4, {{"nll_1_2.self", "nll_1_2", "nll", {2, 2, 4, 6}, 3.5, 1}}, bucket);
  const FigureResult result = figure("context", folder.path());
  REQUIRE(result.panels.size() == 1);
  CHECK(result.panels[0].title == "kv past");
  const auto& series = std::get<Curves>(result.panels[0].drawing).series;
  REQUIRE(series.size() == 1);
  REQUIRE(series[0].points.size() == 1);
  CHECK(series[0].points[0].x == 1.5);
  // Differences of 1 and 3 by window, two tokens each: 4 / 4; errors -1 and 1: sqrt(2 * 2) / 4.
  CHECK(series[0].points[0].y == 1);
  CHECK(series[0].points[0].error == Approx(0.5));
}

TEST_CASE("figure trajectory: what is followed and what is written, by position") {
  const test::TemporaryFolder folder;
  with(folder.path(), 4, [](Recorder& recorder) {
    for (const auto& [metric, column, values] :
         std::vector<std::tuple<std::string, std::string, std::vector<double>>>{
             {"trajectory_kl", "kl", {0, 0.25, 0.5, 0.75}},
             {"equal_tokens", "equal", {1, 1, 1, 0}}}) {
      const std::string group = "/evaluation/" + metric + ".self.past";
      recorder.attribute(group, "metric", metric);
      recorder.attribute(group, "task", std::string("trajectory"));
      recorder.attribute(group, "value", 0.5);
      recorder.attribute(group, "stderr", 0.1);
      recorder.attribute(group, "n", int64_t{4});
      for (const char* name : {"kv_mode", "convention", "dataset"})
        recorder.attribute(group, name, std::string("past"));
      recorder.column(group, "prompt", std::vector<int64_t>{0, 0, 1, 1});
      recorder.column(group, "position", std::vector<int64_t>{1, 2, 1, 2});
      recorder.column(group, column, values);
    }
  });
  const FigureResult result = figure("trajectory", folder.path());
  REQUIRE(result.panels.size() == 2);
  const auto& kl = std::get<Curves>(result.panels[0].drawing);
  CHECK(kl.y.log);
  // Position 1: 0 and 0.5, mean 0.25, standard error sqrt(2 / 1 * 2 * 0.25^2) / 2 = 0.25.
  REQUIRE(kl.series[0].points.size() == 2);
  CHECK(kl.series[0].points[0].y == 0.25);
  CHECK(kl.series[0].points[0].error == Approx(0.25));
  const auto& equal = std::get<Curves>(result.panels[1].drawing);
  CHECK(equal.y.label == "share of equal tokens while writing");
  CHECK(equal.series[0].points[0].y == 1);
  CHECK(equal.series[0].points[1].y == 0.5);
  CHECK(figure("position", folder.path()).panels.empty());
}

TEST_CASE("figure heads: maps with the worst head named") {
  const test::TemporaryFolder folder;
  with(folder.path(), 4, [](Recorder& recorder) {
    recorder.array("/statistics/block_00/key", "head_error", {{2}, {0.1, 0.2}});
    recorder.array("/statistics/block_01/key", "head_error", {{2}, {0.5, 0.3}});
    recorder.array("/statistics/block_01/heads", "output_error", {{4}, {0.1, 0.2, 0.3, 0.25}});
  });
  const FigureResult result = figure("heads", folder.path());
  REQUIRE(result.panels.size() == 2);
  CHECK(result.panels[0].title == "kv4: keys");
  CHECK(result.panels[0].note == "Worst: block 01, kv head 0, relative error 0.5.");
  const auto& map = std::get<HeatMap>(result.panels[0].drawing);
  CHECK(map.rows == std::vector<std::string>{"00", "01"});
  CHECK(map.values[1] == std::vector<double>{0.5, 0.3});
  CHECK(result.panels[1].note == "Worst: block 01, query head 2, relative error 0.3.");
}

TEST_CASE("figure channels: largest magnitudes, neighbours joined where there are many") {
  const test::TemporaryFolder folder;
  with(folder.path(), 16, [](Recorder& recorder) {
    recorder.array("/statistics/block_00/key", "min", {{1, 4}, {-8, -1, 0, 1}});
    recorder.array("/statistics/block_00/key", "max", {{1, 4}, {2, 1, 2, 4}});
    recorder.array("/statistics/block_00/value", "min", {{512}, std::vector<double>(512, -1)});
    std::vector<double> high(512, 0.5);
    high[511] = 9;
    recorder.array("/statistics/block_00/value", "max", {{512}, high});
  });
  const FigureResult result = figure("channels", folder.path());
  REQUIRE(result.panels.size() == 2);
  CHECK(std::get<HeatMap>(result.panels[0].drawing).values[0] == std::vector<double>{8, 1, 2, 4});
  CHECK(result.panels[0].note == "Largest 8, 2 times the median channel.");
  const auto& value = std::get<HeatMap>(result.panels[1].drawing);
  REQUIRE(value.values[0].size() == 256);
  CHECK(value.values[0][254] == 1);
  CHECK(value.values[0][255] == 9);
  CHECK(value.columns[255] == "510");
}

TEST_CASE("figure training: losses by epoch, relative to the first") {
  const test::TemporaryFolder folder;
  with(folder.path(), 4, [](Recorder& recorder) {
    recorder.column("/calibration/block_00", "loss", std::vector<double>{4, 2, 1});
    recorder.column("/calibration/block_01", "loss", std::vector<double>{8, 6, 5});
  });
  const FigureResult result = figure("training", folder.path());
  REQUIRE(result.panels.size() == 1);
  const auto& series = std::get<Curves>(result.panels[0].drawing).series;
  REQUIRE(series.size() == 2);
  CHECK(series[0].points[2].x == 3);
  CHECK(series[0].points[2].y == 0.25);
  CHECK(series[1].points[1].y == 0.75);
  CHECK(series[1].shade == 1);
}

TEST_CASE("figure bits: parts by block") {
  const test::TemporaryFolder folder;
  with(folder.path(), 4, [](Recorder& recorder) {
    recorder.column("/calibration/bits", "place",
                    std::vector<std::string>{"block_00/key", "block_01/key", "block_01/value"});
    recorder.column("/calibration/bits", "bits", std::vector<int64_t>{4, 3, 2});
  });
  const auto result = figure("bits", folder.path());
  REQUIRE(result.panels.size() == 1);
  const auto& map = std::get<HeatMap>(result.panels[0].drawing);
  CHECK(map.rows == std::vector<std::string>{"key", "value"});
  CHECK(map.columns == std::vector<std::string>{"00", "01"});
  CHECK(map.values[0] == std::vector<double>{4, 3});
  CHECK(std::isnan(map.values[1][0]));
  CHECK(map.values[1][1] == 2);
}

TEST_CASE("figure phases: seconds by phase") {
  const test::TemporaryFolder folder;
  three_runs(folder.path());
  const FigureResult result = figure("phases", folder.path());
  REQUIRE(result.panels.size() == 1);
  const auto& bars = std::get<Bars>(result.panels[0].drawing);
  CHECK(bars.parts == std::vector<std::string>{"blocks", "evaluation"});
  CHECK(bars.rows == std::vector<std::string>{"kv.bits 16", "kv.bits 4", "kv.bits 2"});
  CHECK(bars.values[0] == std::vector<double>{2, 0.5});
}
