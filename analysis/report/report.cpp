#include "analysis/report/report.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "analysis/compare/draws.h"
#include "analysis/read/column_lookup.h"
#include "analysis/read/load_runs.h"
#include "analysis/report/merge_columns.h"
#include "analysis/report/published_report.h"
#include "analysis/report/report_csv.h"
#include "analysis/report/report_table.h"
#include "analysis/report/run_json.h"
#include "analysis/tables/format_number.h"
#include "analysis/tables/text_table.h"
#include "analysis/tables/text_width.h"
#include "core/base/error.h"

namespace wkvq {
namespace {

using Kind = ReportColumn::Kind;
using Pointers = std::vector<const RunSummary*>;

/// A column that runs are sorted by; `option` asked for it.
ReportColumn key_column(const Report& report, const std::string& name, const char* option) {
  ReportColumn column = find_columns(report.runs, name).front();
  if (column.kind == Kind::kEvaluation)
    config_error("{} '{}' is an evaluation; expected a configuration key or a fact", option, name);
  column.label = name;
  return column;
}

std::vector<ReportColumn> without(std::vector<ReportColumn> columns, const ReportColumn& key) {
  std::erase_if(columns, [&](auto& c) { return c.kind == key.kind && c.name == key.name; });
  return columns;
}

void print_notes(const Report& report, bool markdown, std::ostream& out) {
  const std::string bullet = markdown ? "- " : "";
  std::string text;
  for (size_t i = 0; i < report.conventions.size(); ++i)
    text += fmt::format("{}[{}] {}\n", bullet, i + 1, printable(report.conventions[i]));
  for (const std::string& note : report.differences.notes)
    text += fmt::format("{}{}\n", bullet, printable(note));
  for (const std::string& same : report.same_as)
    text += fmt::format("{}equal in every run: {}\n", bullet, printable(same));
  for (const RunSummary& run : report.runs)
    if (!run.error.empty())
      text += fmt::format("{}{} {}: {}\n", bullet, run.status, printable(run.run_id),
                          printable(run.error));
  if (!text.empty()) out << "\n" << text;
}

/// The one number that a pivot shows: the first evaluation.
ReportColumn pivot_number(const Report& report, bool chosen) {
  std::vector<ReportColumn> numbers = report.columns;
  std::erase_if(numbers, [](auto& column) { return column.kind != Kind::kEvaluation; });
  std::vector<std::string> names;
  for (const ReportColumn& number : numbers) names.push_back(number.name);
  if (numbers.empty()) config_error("--pivot: no evaluation; name one by --columns");
  if (chosen && numbers.size() > 1)
    config_error("--pivot: {} evaluations ({}); expected one in --columns", numbers.size(),
                 fmt::join(names, ", "));
  return numbers.front();
}

/// What print_tables prints of `runs`, one group or all of them.
std::string table_text(const Report& report, const ReportOptions& options, const Pointers& runs,
                       const std::vector<ReportColumn>& columns) {
  const bool markdown = options.format == "markdown";
  const auto text = [&](const TextTable& table) {
    return markdown ? markdown_text(table) : terminal_text(table, options.width);
  };
  if (options.pivot.empty()) return text(table_of(report, runs, columns, !markdown));
  const ReportColumn number = pivot_number(report, !options.columns.empty());
  std::string title = header_of(report, number, false);
  for (size_t at; (at = title.find('\n')) != std::string::npos;) title.replace(at, 1, ", ");
  return title + "\n\n" +
         text(pivot_of(report, runs,
                       {key_column(report, options.pivot[0], "--pivot"),
                        key_column(report, options.pivot[1], "--pivot")},
                       number));
}

void print_tables(const Report& report, const ReportOptions& options, std::ostream& out) {
  const bool markdown = options.format == "markdown";
  Pointers all;
  for (const RunSummary& run : report.runs) all.push_back(&run);
  if (options.group_by.empty()) {
    out << table_text(report, options, all, report.columns);
  } else {
    const ReportColumn key = key_column(report, options.group_by, "group-by");
    const std::vector<ReportColumn> columns = without(report.columns, key);
    bool first = true;
    for (const auto& value : values_of(all, key)) {
      Pointers group = all;
      std::erase_if(group, [&](auto* run) { return value_of(*run, key) != value; });
      out << (first ? "" : "\n") << (markdown ? "### " : "") << options.group_by << " = "
          << (value ? printable(format_attribute(*value)) : "-") << "\n\n"
          << table_text(report, options, group, columns);
      first = false;
    }
  }
  print_notes(report, markdown, out);
}

/// Quantiles of KL have no standard error and are shown when asked for; so are llama.cpp's
/// statistics, which `wkvq show` prints, and the status where all runs are done.
void drop_unasked(const std::vector<RunSummary>& runs, std::vector<ReportColumn>& columns) {
  const bool all_done =
      std::ranges::all_of(runs, [](const RunSummary& run) { return run.status == "done"; });
  std::erase_if(columns, [&](const ReportColumn& column) {
    if (column.kind == Kind::kRun && column.name == "status") return all_done;
    static const std::vector<std::string> unasked{"kl_median", "kl_p99", "perplexity_ratio",
                                                  "delta_p", "delta_p_rms"};
    return column.kind == Kind::kEvaluation &&
           std::ranges::any_of(
               unasked, [&](const std::string& name) { return column.metric.ends_with(name); });
  });
}

std::vector<ReportColumn> columns_of(const ReportOptions& options, Report& report) {
  const bool csv = options.format == "csv";
  if (options.columns.empty()) {
    auto columns = default_columns(report.runs, report.same_as);
    if (csv && columns.front().name != "run_id")
      columns.insert(columns.begin(), find_columns(report.runs, "run_id").front());
    if (!csv) {
      drop_unasked(report.runs, columns);
      merge_columns(report.runs, columns);
    }
    return columns;
  }
  std::vector<ReportColumn> columns;
  for (const std::string& name : options.columns) {
    auto found = find_columns(report.runs, name);
    if (!csv) merge_columns(report.runs, found);
    columns.insert(columns.end(), found.begin(), found.end());
  }
  return columns;
}

void collect_conventions(Report& report) {
  const auto note = [&](const std::string& convention) {
    if (!convention.empty() &&
        std::ranges::find(report.conventions, convention) == report.conventions.end())
      report.conventions.push_back(convention);
  };
  for (const ReportColumn& column : report.columns) {
    note(column.convention);
    for (const ReportColumn& other : column.also) note(other.convention);
  }
}

Report make_report(const ReportOptions& options) {
  Report report;
  report.runs = load_runs(options.paths);
  if (!options.draws.empty()) report.runs = joined_draws(std::move(report.runs), options.draws);
  std::ranges::stable_partition(report.runs, is_full_precision);
  report.columns = columns_of(options, report);
  if (!options.baseline.empty()) {
    report.differences = differences_to(options.baseline, report.runs, report.columns);
    add_difference_columns(report.differences, report.runs, report.columns);
  }
  if (options.format != "csv") add_mode_columns(report.runs, report.columns);
  shorten_labels(report.columns);
  collect_conventions(report);
  return report;
}

void check_options(const ReportOptions& options) {
  const std::vector<std::string> formats{"table", "markdown", "csv", "json"};
  const std::string& format = options.format;
  if (std::ranges::find(formats, format) == formats.end())
    config_error("report format '{}'; expected table, markdown, csv or json", format);
  if (options.published && format != "table" && format != "markdown")
    config_error("--published with format '{}'; expected table or markdown", format);
  if (format == "json" && !(options.columns.empty() && options.group_by.empty() &&
                            options.draws.empty() && options.baseline.empty()))
    config_error(
        "format json is always whole: --columns, --group-by, --draws and --baseline do not apply");
  if (!options.draws.empty() && !options.baseline.empty())
    config_error("--draws with --baseline: draws are of several texts; expected one of the two");
  if (options.pivot.empty()) return;
  if (options.pivot.size() != 2)
    config_error("--pivot: {} given; expected two columns, e.g. weight.bits,kv.bits",
                 options.pivot.size());
  if (format != "table" && format != "markdown")
    config_error("--pivot with format '{}'; expected table or markdown", format);
  if (!options.baseline.empty())
    config_error("--pivot shows one number; expected no --baseline beside it");
}

}  // namespace

int report_command(const ReportOptions& options, std::ostream& out) {
  check_options(options);
  if (options.format == "json") {
    out << runs_as_json(load_runs(options.paths));
    return 0;
  }
  const Report report = make_report(options);
  if (options.format == "csv") {
    std::optional<ReportColumn> key;
    if (!options.group_by.empty()) key = key_column(report, options.group_by, "group-by");
    print_csv(report, key, out);
  } else {
    print_tables(report, options, out);
  }
  if (options.published) print_published(report.runs, options, out);
  return 0;
}

}  // namespace wkvq
