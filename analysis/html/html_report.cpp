#include "analysis/html/html_report.h"

#include <fmt/ostream.h>

#include <algorithm>
#include <set>

#include "analysis/compare/significance.h"
#include "analysis/figures/figure.h"
#include "analysis/figures/svg.h"
#include "analysis/html/flipped_items.h"
#include "analysis/html/page_text.h"
#include "analysis/html/paired_data.h"
#include "analysis/html/sections.h"
#include "analysis/read/damaged_runs.h"
#include "analysis/read/load_runs.h"
#include "analysis/report/make_report.h"
#include "analysis/report/published_report.h"
#include "analysis/tables/format_number.h"
#include "analysis/tables/markup.h"
#include "analysis/tables/text_width.h"
#include "core/base/error.h"
#include "core/base/files/temporary_file.h"

namespace wkvq {
namespace {

using Kind = ReportColumn::Kind;
using nlohmann::ordered_json;

constexpr int64_t kPairedBytes = 5'500'000;

/// Sizes and times that differ between runs, and each run's name, behind the chosen columns.
void add_columns(Report& report) {
  for (const auto& [name, label] : std::vector<std::pair<std::string, std::string>>{
           {"stored_bits_per_weight", "stored bits, weight"},
           {"stored_bits_per_key", "stored bits, key"},
           {"stored_bits_per_value", "stored bits, value"},
           {"seconds_blocks", "seconds, blocks"},
           {"seconds_evaluation", "seconds, evaluation"}}) {
    ReportColumn column = plain_column(Kind::kCost, "cost." + name);
    column.label = label;
    std::set<std::optional<AttributeValue>> values;
    for (const RunSummary& run : report.runs)
      if (run.status == "done") values.insert(value_of(run, column));
    if (values.size() > 1) report.columns.push_back(column);
  }
  if (std::ranges::none_of(report.columns, [](auto& column) { return column.name == "run_id"; }))
    report.columns.push_back(plain_column(Kind::kRun, "run_id"));
}

/// The settings in which runs differ, by run.
ordered_json config_data(const std::vector<RunSummary>& runs) {
  const std::vector<std::string> keys = differing_keys(runs);
  ordered_json values = ordered_json::array();
  for (const RunSummary& run : runs) {
    ordered_json row = ordered_json::array();
    for (const std::string& key : keys) {
      const AttributeValue* value = config_value(run, key);
      row.push_back(value ? ordered_json(format_attribute(*value)) : ordered_json());
    }
    values.push_back(std::move(row));
  }
  return {{"keys", keys}, {"values", values}};
}

/// The run that is the baseline at first: the named one, else full precision, else none.
ordered_json first_baseline(const Report& report, const std::string& asked) {
  for (size_t i = 0; i < report.runs.size(); ++i) {
    const RunSummary& run = report.runs[i];
    if (run.status != "done") continue;
    if (asked.empty() || asked == "auto" ? is_full_precision(run) : run.run_id == asked) return i;
  }
  if (!asked.empty() && asked != "auto")
    config_error("--baseline '{}' with --html: no finished run of that id", asked);
  return nullptr;
}

std::string data_of(const Report& report, const std::string& baseline,
                    const ItemTextSource& texts) {
  const FigureInput named = figure_input(report.runs);
  ordered_json labels = ordered_json::array();
  for (const RunSummary& run : report.runs) labels.push_back(printable(run.run_id));
  for (size_t i = 0; i < named.runs.size(); ++i)
    labels[static_cast<size_t>(named.places[i])] = named.labels[i];
  ordered_json done = ordered_json::array();
  for (const RunSummary& run : report.runs) done.push_back(run.status == "done");
  const ordered_json data = {{"labels", labels},
                             {"done", done},
                             {"baseline", first_baseline(report, baseline)},
                             {"config", config_data(report.runs)},
                             {"paired", paired_data(report, kPairedBytes)},
                             {"items", flipped_items(report.runs, texts)}};
  return script_safe(data.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
}

std::string title_of(const Report& report) {
  std::set<std::string> sweeps;
  for (const RunSummary& run : report.runs)
    if (!run.sweep.empty()) sweeps.insert(shortened(printable(run.sweep), 40));
  return sweeps.size() == 1 ? "wkvq: " + *sweeps.begin()
                            : fmt::format("wkvq: {} sweeps", sweeps.size());
}

std::string navigation() {
  std::string html =
      "<nav aria-label=\"Sections\"><a href=\"#ran\">What ran</a> <a href=\"#table\">Runs</a> "
      "<a href=\"#configuration\">Configurations</a> <a href=\"#items\">Items that flipped</a>";
  for (const Figure& figure : figures())
    html += fmt::format(" <a href=\"#{}\">{}</a>", figure.name, figure.title);
  return html + "</nav>\n";
}

std::string published_section(const Report& report) {
  return "<section id=\"published\"><h2>Published numbers</h2>\n" +
         plain_table(published_table(report.runs, published_numbers()), published_legend()) +
         "</section>\n";
}

std::string items_section() {
  return "<section id=\"items\"><h2>Items that flipped</h2>\n<p>Questions that the baseline "
         "answers right and the run wrong, or the other way round. ✓ marks the right answer.</p>\n"
         "<div class=\"controls\"><label>Run <select class=\"other\"></select></label></div>\n"
         "<div id=\"flips\" aria-live=\"polite\"></div></section>\n";
}

std::string page_of(const Report& report, const ReportOptions& options,
                    const ItemTextSource& texts) {
  const std::string title = escaped(title_of(report));
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
         "'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n<title>" +
         title + "</title>\n<style>" + kPageStyle + figure_style() + "</style>\n</head>\n<body>\n" +
         "<a class=\"skip\" href=\"#table\">To the table of runs</a>\n<header><h1>" + title +
         "</h1>\n" + navigation() + "</header>\n<main>\n<section id=\"ran\"><h2>What ran</h2>\n" +
         what_ran(report) + problems(report) + "</section>\n<section id=\"table\"><h2>Runs</h2>\n" +
         runs_table(report) + "<p id=\"legend\">" + escaped(stars_legend()) +
         " A second line in a cell is the difference to the baseline, paired over the same text; "
         "of "
         "perplexities it is that of the mean NLL, in nats a token."
         "</p>\n<ul class=\"notes\" id=\"paired-notes\"></ul>\n</section>\n" +
         "<section id=\"configuration\"><h2>Configurations</h2>\n<p>Settings in which a run and "
         "the "
         "baseline differ.</p>\n<div class=\"controls\"><label>Run <select id=\"other\" "
         "class=\"other\"></select>"
         "</label></div>\n<div id=\"differences\" aria-live=\"polite\"></div></section>\n" +
         items_section() + figure_sections(report.runs) +
         (options.published ? published_section(report) : "") +
         "</main>\n<script type=\"application/json\" id=\"data\">" +
         data_of(report, options.baseline, texts) + "</script>\n<script>" + kPageScript +
         "</script>\n</body>\n</html>\n";
}

}  // namespace

int html_command(const ReportOptions& options, const std::filesystem::path& page, std::ostream& out,
                 const ItemTextSource& texts) {
  if (!options.group_by.empty() || !options.pivot.empty() || !options.draws.empty() ||
      options.format != "table")
    config_error("--html: --format, --group-by, --pivot and --draws do not apply to a page");
  ReportOptions wanted = options;
  wanted.baseline.clear();
  Report report = make_report(wanted);
  note_damaged(report.runs);
  if (options.columns.empty()) add_columns(report);
  const std::string html = page_of(report, options, texts);
  TemporaryFile file(page);
  file.write(html.data(), html.size());
  file.commit();
  fmt::print(out, "{}: {} runs, {:.2f} MB\n", page.string(), report.runs.size(),
             static_cast<double>(html.size()) / 1e6);
  return 0;
}

}  // namespace wkvq
