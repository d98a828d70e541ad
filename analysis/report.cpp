#include "analysis/report.h"

#include <algorithm>

#include "analysis/column_lookup.h"
#include "analysis/draws.h"
#include "analysis/format_number.h"
#include "analysis/load_runs.h"
#include "analysis/published_report.h"
#include "analysis/report_columns.h"
#include "analysis/run_json.h"
#include "analysis/text_table.h"
#include "analysis/text_width.h"
#include "core/base/error.h"

namespace wkvq {
namespace {

using Kind = ReportColumn::Kind;
using Runs = std::vector<RunSummary>;

constexpr size_t kHeaderWidth = 16;
constexpr size_t kCellWidth = 40;

struct Report {
  Runs runs;
  std::vector<ReportColumn> columns;
  std::vector<std::string> same_as;
  std::vector<std::string> conventions;  ///< note i + 1
};

std::string header(const Report& report, const ReportColumn& column, bool wrap) {
  if (column.kind != Kind::kEvaluation && !wrap) return printable(column.label);
  std::vector<std::string> parts{column.label};
  if (column.kind == Kind::kEvaluation) {
    const std::string mode = column.mode_by_row ? "by row" : column.kv_mode;
    parts = {column.metric, column.dataset, mode.empty() ? "" : "kv " + mode};
    const auto twins = std::count_if(report.columns.begin(), report.columns.end(), [&](auto& c) {
      return c.kind == Kind::kEvaluation && c.metric == column.metric &&
             c.dataset == column.dataset && c.mode_by_row == column.mode_by_row &&
             (c.mode_by_row || c.kv_mode == column.kv_mode) && c.convention == column.convention;
    });
    if (twins > 1) parts.insert(parts.begin(), column.name);
    std::erase(parts, "");
    const auto note =
        std::find(report.conventions.begin(), report.conventions.end(), column.convention);
    if (note != report.conventions.end())
      parts.back() += fmt::format(" [{}]", note - report.conventions.begin() + 1);
  }
  std::string text;
  for (const std::string& part : parts)
    for (const std::string& line :
         wrap ? wrapped(printable(part), kHeaderWidth) : std::vector{printable(part)})
      text.append(text.empty() ? "" : "\n").append(line);
  return text;
}

std::string cell(const RunSummary& run, const ReportColumn& column) {
  if (column.kind == Kind::kEvaluation) {
    const Evaluation* evaluation = evaluation_of(run, column);
    return evaluation ? format_measurement(evaluation->value, evaluation->stderr_) : "-";
  }
  const auto value = value_of(run, column);
  const std::string text = value ? printable(format_attribute(*value)) : "";
  return text.empty() ? "-" : shortened(text, kCellWidth);
}

TextTable table_of(const Report& report, const std::vector<const RunSummary*>& runs,
                   const std::vector<ReportColumn>& columns, bool wrap) {
  TextTable table;
  table.rows.resize(runs.size());
  bool leading = true;
  for (const ReportColumn& column : columns) {
    std::vector<std::string> cells;
    for (const RunSummary* run : runs) cells.push_back(cell(*run, column));
    // Another group's evaluation.
    const bool empty = std::all_of(cells.begin(), cells.end(), [](auto& c) { return c == "-"; });
    if (empty && column.kind == Kind::kEvaluation) continue;
    leading &= column.kind == Kind::kConfig || column.kind == Kind::kMode ||
               column.name == "run_id" || column.name == "sweep";
    if (leading) ++table.key_columns;
    table.headers.push_back(header(report, column, wrap));
    for (size_t i = 0; i < runs.size(); ++i) table.rows[i].push_back(cells[i]);
  }
  return table;
}

struct Group {
  std::optional<AttributeValue> value;
  std::vector<const RunSummary*> runs;
};

/// Runs by their value of `key`, in order of the values.
std::vector<Group> groups_of(const Runs& runs, const ReportColumn& key) {
  std::vector<Group> groups;
  for (const RunSummary& run : runs) {
    const auto value = value_of(run, key);
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const Group& other) { return other.value == value; });
    if (group == groups.end()) group = groups.insert(group, Group{value, {}});
    group->runs.push_back(&run);
  }
  const auto pointer = [](const Group& group) { return group.value ? &*group.value : nullptr; };
  std::stable_sort(groups.begin(), groups.end(), [&](const Group& a, const Group& b) {
    return value_less(pointer(a), pointer(b));
  });
  return groups;
}

ReportColumn group_column(const Runs& runs, const std::string& name) {
  const ReportColumn column = find_columns(runs, name).front();
  if (column.kind == Kind::kEvaluation)
    config_error("group-by '{}' is an evaluation; expected a configuration key or a fact", name);
  return column;
}

void print_notes(const Report& report, bool markdown, std::ostream& out) {
  const std::string bullet = markdown ? "- " : "";
  std::string text;
  for (size_t i = 0; i < report.conventions.size(); ++i)
    text += fmt::format("{}[{}] {}\n", bullet, i + 1, printable(report.conventions[i]));
  for (const std::string& same : report.same_as)
    text += fmt::format("{}equal in every run: {}\n", bullet, printable(same));
  for (const RunSummary& run : report.runs)
    if (!run.error.empty())
      text += fmt::format("{}{} {}: {}\n", bullet, run.status, printable(run.run_id),
                          printable(run.error));
  if (!text.empty()) out << "\n" << text;
}

void print_tables(const Report& report, const ReportOptions& options, std::ostream& out) {
  const bool markdown = options.format == "markdown";
  const auto print = [&](const std::vector<const RunSummary*>& runs,
                         const std::vector<ReportColumn>& columns) {
    const TextTable table = table_of(report, runs, columns, !markdown);
    out << (markdown ? markdown_text(table) : terminal_text(table, options.width));
  };
  if (options.group_by.empty()) {
    std::vector<const RunSummary*> all;
    for (const RunSummary& run : report.runs) all.push_back(&run);
    print(all, report.columns);
  } else {
    const ReportColumn key = group_column(report.runs, options.group_by);
    std::vector<ReportColumn> columns = report.columns;
    std::erase_if(columns, [&](auto& c) { return c.kind == key.kind && c.name == key.name; });
    bool first = true;
    for (const Group& group : groups_of(report.runs, key)) {
      out << (first ? "" : "\n") << (markdown ? "### " : "") << options.group_by << " = "
          << (group.value ? printable(format_attribute(*group.value)) : "-") << "\n\n";
      print(group.runs, columns);
      first = false;
    }
  }
  print_notes(report, markdown, out);
}

std::string exact(const std::optional<AttributeValue>& value) {
  if (!value) return "";
  const auto* real = std::get_if<double>(&*value);
  return real ? format_exact(*real) : format_attribute(*value);
}

/// Full precision; evaluations under their name, with what makes them comparable beside them.
void print_csv(const Report& report, const ReportOptions& options, std::ostream& out) {
  std::vector<ReportColumn> columns = report.columns;
  if (!options.group_by.empty()) {
    const ReportColumn key = group_column(report.runs, options.group_by);
    std::erase_if(columns, [&](auto& c) { return c.kind == key.kind && c.name == key.name; });
    columns.insert(columns.begin(), key);
  }
  std::vector<ReportColumn> unique;
  std::vector<std::string> line;
  for (const ReportColumn& column : columns) {
    if (std::any_of(unique.begin(), unique.end(), [&](auto& other) {
          return other.kind == column.kind && other.name == column.name;
        }))
      continue;
    unique.push_back(column);
    line.push_back(column.name);
    if (column.kind != Kind::kEvaluation) continue;
    for (const char* part : {"stderr", "n", "metric", "dataset", "kv_mode", "convention"})
      line.push_back(column.name + "." + part);
  }
  out << csv_line(line);
  const auto row = [&](const RunSummary& run) {
    line.clear();
    for (const ReportColumn& column : unique) {
      if (column.kind != Kind::kEvaluation) {
        line.push_back(exact(value_of(run, column)));
        continue;
      }
      const auto e = std::find_if(run.evaluations.begin(), run.evaluations.end(),
                                  [&](auto& other) { return other.name == column.name; });
      if (e == run.evaluations.end())
        line.insert(line.end(), 7, "");
      else
        line.insert(line.end(),
                    {format_exact(e->value), format_exact(e->stderr_), std::to_string(e->n),
                     e->metric, e->dataset, e->kv_mode, e->convention});
    }
    out << csv_line(line);
  };
  if (options.group_by.empty())
    for (const RunSummary& run : report.runs) row(run);
  else
    for (const Group& group : groups_of(report.runs, unique.front()))
      for (const RunSummary* run : group.runs) row(*run);
}

Report make_report(const ReportOptions& options) {
  Report report;
  report.runs = load_runs(options.paths);
  if (!options.draws.empty()) report.runs = joined_draws(std::move(report.runs), options.draws);
  if (options.columns.empty()) {
    report.columns = default_columns(report.runs, report.same_as);
    if (options.format == "csv" && report.columns.front().name != "run_id")
      report.columns.insert(report.columns.begin(), find_columns(report.runs, "run_id").front());
  }
  for (const std::string& name : options.columns)
    for (const ReportColumn& column : find_columns(report.runs, name))
      report.columns.push_back(column);
  if (options.format != "csv") show_modes_by_row(report.runs, report.columns);
  shorten_labels(report.columns);
  for (const ReportColumn& column : report.columns)
    if (!column.convention.empty() &&
        std::find(report.conventions.begin(), report.conventions.end(), column.convention) ==
            report.conventions.end())
      report.conventions.push_back(column.convention);
  return report;
}

}  // namespace

int report_command(const ReportOptions& options, std::ostream& out) {
  const std::vector<std::string> formats{"table", "markdown", "csv", "json"};
  if (std::find(formats.begin(), formats.end(), options.format) == formats.end())
    config_error("report format '{}'; expected table, markdown, csv or json", options.format);
  if (options.published && options.format != "table" && options.format != "markdown")
    config_error("--published with format '{}'; expected table or markdown", options.format);
  if (options.format == "json") {
    if (!options.columns.empty() || !options.group_by.empty() || !options.draws.empty())
      config_error("format json is always whole: --columns, --group-by and --draws do not apply");
    out << runs_as_json(load_runs(options.paths));
    return 0;
  }
  const Report report = make_report(options);
  if (options.format == "csv")
    print_csv(report, options, out);
  else
    print_tables(report, options, out);
  if (options.published) print_published(report.runs, options, out);
  return 0;
}

}  // namespace wkvq
