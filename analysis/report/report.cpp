#include "analysis/report/report.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "analysis/read/column_lookup.h"
#include "analysis/read/load_runs.h"
#include "analysis/report/make_report.h"
#include "analysis/report/published_report.h"
#include "analysis/report/report_csv.h"
#include "analysis/report/report_latex.h"
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
  if (options.pivot.empty()) return text(text_table(table_of(report, runs, columns), !markdown));
  const ReportColumn number = pivot_number(report, !options.columns.empty());
  return printable(fmt::format("{}", fmt::join(header_of(report, number), ", "))) + "\n\n" +
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

void check_options(const ReportOptions& options) {
  const std::string& format = options.format;
  if (std::ranges::find(report_formats(), format) == report_formats().end())
    config_error("report format '{}'; expected one of {}", format,
                 fmt::join(report_formats(), ", "));
  if (options.published && format != "table" && format != "markdown" && format != "latex")
    config_error("--published with format '{}'; expected table, markdown or latex", format);
  if (format.starts_with("json") && !(options.columns.empty() && options.group_by.empty() &&
                                      options.draws.empty() && options.baseline.empty()))
    config_error(
        "format {} is always whole: --columns, --group-by, --draws and --baseline do not apply",
        format);
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

const std::vector<std::string>& report_formats() {
  static const std::vector<std::string> kFormats{"table", "markdown", "csv",
                                                 "json",  "jsonl",    "latex"};
  return kFormats;
}

int report_command(const ReportOptions& options, std::ostream& out) {
  check_options(options);
  if (options.format == "json" || options.format == "jsonl") {
    const std::vector<RunSummary> runs = load_runs(options.paths);
    out << (options.format == "json" ? runs_as_json(runs) : runs_as_lines(runs));
    return 0;
  }
  const Report report = make_report(options);
  if (options.format == "csv") {
    std::optional<ReportColumn> key;
    if (!options.group_by.empty()) key = key_column(report, options.group_by, "group-by");
    print_csv(report, key, out);
  } else if (options.format == "latex") {
    if (!options.group_by.empty()) config_error("format latex: expected no --group-by");
    print_latex(report, out);
  } else {
    print_tables(report, options, out);
  }
  if (options.published) print_published(report.runs, options, out);
  return 0;
}

}  // namespace wkvq
