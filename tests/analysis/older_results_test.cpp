#include <sstream>

#include "analysis/compare/compare.h"
#include "analysis/figures/figure.h"
#include "analysis/html/html_report.h"
#include "analysis/read/load_runs.h"
#include "analysis/report/report.h"
#include "analysis/report/show.h"
#include "tests/support/process.h"

using namespace wkvq;

namespace {

/// Two runs that run_file.cpp of November 24, 2026 (commit 8521796) wrote: settings of other names,
/// a heartbeat, statistics without head_error, no warnings.
std::filesystem::path older() {
  return test::source("tests/golden/older_results");
}

std::string said(const std::function<int(std::ostream&)>& command) {
  std::ostringstream out;
  CHECK(command(out) == 0);
  return out.str();
}

}  // namespace

TEST_CASE("results of an older version open: tables, differences, figures, the page") {
  const std::vector<RunSummary> runs = load_runs({older()});
  REQUIRE(runs.size() == 2);
  for (const RunSummary& run : runs) CHECK(run.status == "done");
  CHECK(runs[1].run_id == "kv.bits-4-0123456789");
  CHECK(runs[1].config_tree["method"]["weight"]["form"] == "A");
  const std::string table = said([](auto& out) {
    return report_command({.paths = {older()}, .format = "markdown", .baseline = "auto"}, out);
  });
  INFO(table);
  // The second loses 0.25 nats on every token.
  CHECK(table.find("| 0.25 |") != std::string::npos);
  const std::string shown =
      said([&](auto& out) { return show_command(runs[1].path, "table", out); });
  CHECK(shown.find("heartbeat") != std::string::npos);
  CHECK(shown.find("block_01/key") != std::string::npos);
  const std::string compared = said([&](auto& out) {
    return compare_command({.first = runs[0].path, .second = runs[1].path}, out);
  });
  CHECK(compared.find("right to wrong: 1 item (#1)") != std::string::npos);
  const FigureInput input = figure_input(runs);
  size_t drawn = 0;
  for (const Figure& figure : figures()) drawn += !figure.make(input).panels.empty();
  CHECK(drawn == 4);  // pareto, position, channels, phases
  const test::TemporaryFolder folder;
  said([&](auto& out) { return html_command({.paths = {older()}}, folder / "page.html", out); });
  CHECK(test::read_text(folder / "page.html").find("<title>wkvq: old</title>") !=
        std::string::npos);
}
