#include "analysis/report/report_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/read/load_runs.h"
#include "analysis/tables/format_number.h"
#include "analysis/tables/text_width.h"
#include "core/base/error.h"

namespace wkvq {
namespace {

using Kind = ReportColumn::Kind;
using Value = std::optional<AttributeValue>;

constexpr size_t kHeaderWidth = 16;
constexpr size_t kCellWidth = 40;

/// " [2]"; empty where `convention` has no note.
std::string note_of(const Report& report, const std::string& convention) {
  const auto note = std::ranges::find(report.conventions, convention);
  if (note == report.conventions.end()) return "";
  return fmt::format(" [{}]", note - report.conventions.begin() + 1);
}

/// What an evaluation's header says.
std::vector<std::string> evaluation_parts(const Report& report, const ReportColumn& column) {
  const std::string mode = column.mode_by_row ? "by row" : column.kv_mode;
  std::vector<std::string> parts = {column.metric, column.dataset,
                                    mode.empty() ? "" : "kv " + mode};
  const auto twins = std::ranges::count_if(report.columns, [&](const ReportColumn& c) {
    return c.kind == Kind::kEvaluation && c.metric == column.metric &&
           c.dataset == column.dataset && c.mode_by_row == column.mode_by_row &&
           (c.mode_by_row || c.kv_mode == column.kv_mode) &&
           c.convention_by_row == column.convention_by_row &&
           (c.convention_by_row || c.convention == column.convention);
  });
  if (twins > 1) parts.insert(parts.begin(), column.name);
  std::erase(parts, "");
  if (!column.convention_by_row) parts.back() += note_of(report, column.convention);
  return parts;
}

std::string text_of(const Value& value) {
  const std::string text = value ? printable(format_attribute(*value)) : "";
  return text.empty() ? "-" : shortened(text, kCellWidth);
}

bool leads(const ReportColumn& column) {
  return column.kind == Kind::kConfig || column.kind == Kind::kMode || column.name == "run_id" ||
         column.name == "sweep";
}

}  // namespace

std::string header_of(const Report& report, const ReportColumn& column, bool wrap) {
  const bool evaluation = column.kind == Kind::kEvaluation;
  if (!evaluation && !wrap) return printable(column.label);
  const auto parts =
      evaluation ? evaluation_parts(report, column) : std::vector<std::string>{column.label};
  std::string text;
  for (const std::string& part : parts)
    for (const std::string& line :
         wrap ? wrapped(printable(part), kHeaderWidth) : std::vector{printable(part)})
      text.append(text.empty() ? "" : "\n").append(line);
  return text;
}

std::string cell_of(const Report& report, const RunSummary& run, const ReportColumn& column) {
  if (column.kind == Kind::kEvaluation) {
    const Evaluation* evaluation = evaluation_of(run, column);
    if (!evaluation) return "-";
    return format_measurement(evaluation->value, evaluation->stderr_) +
           (column.convention_by_row ? note_of(report, evaluation->convention) : "");
  }
  if (column.kind == Kind::kDifference) {
    const Comparison* one = report.differences.of(run, evaluation_of(run, column));
    if (!one) return "-";
    return format_measurement(one->difference.value, one->difference.standard_error);
  }
  return text_of(value_of(run, column));
}

TextTable table_of(const Report& report, const std::vector<const RunSummary*>& runs,
                   const std::vector<ReportColumn>& columns, bool wrap) {
  TextTable table;
  table.rows.resize(runs.size());
  bool leading = true;
  for (const ReportColumn& column : columns) {
    std::vector<std::string> cells;
    for (const RunSummary* run : runs) cells.push_back(cell_of(report, *run, column));
    // Another group's evaluation.
    const bool empty = std::ranges::all_of(cells, [](auto& cell) { return cell == "-"; });
    if (empty && (column.kind == Kind::kEvaluation || column.kind == Kind::kDifference)) continue;
    leading &= leads(column);
    if (leading) ++table.key_columns;
    table.headers.push_back(header_of(report, column, wrap));
    for (size_t i = 0; i < runs.size(); ++i) table.rows[i].push_back(cells[i]);
  }
  return table;
}

std::vector<Value> values_of(const std::vector<const RunSummary*>& runs, const ReportColumn& key) {
  std::vector<Value> values;
  for (const RunSummary* run : runs)
    if (const Value value = value_of(*run, key); std::ranges::find(values, value) == values.end())
      values.push_back(value);
  const auto pointer = [](const Value& value) { return value ? &*value : nullptr; };
  std::ranges::stable_sort(values, [&](const Value& a, const Value& b) {
    return setting_less(key.name, pointer(a), pointer(b));
  });
  return values;
}

TextTable pivot_of(const Report& report, const std::vector<const RunSummary*>& runs,
                   const std::pair<ReportColumn, ReportColumn>& axes, const ReportColumn& number) {
  const auto& [down, across] = axes;
  TextTable table{{printable(down.label)}, {}, 1};
  for (const Value& value : values_of(runs, across))
    table.headers.push_back(fmt::format("{} {}", printable(across.label), text_of(value)));
  for (const Value& row : values_of(runs, down)) {
    auto& cells = table.rows.emplace_back(std::vector{text_of(row)});
    for (const Value& column : values_of(runs, across)) {
      const RunSummary* found = nullptr;
      for (const RunSummary* run : runs) {
        if (value_of(*run, down) != row || value_of(*run, across) != column) continue;
        if (cell_of(report, *run, number) == "-") continue;
        if (found)
          config_error(
              "--pivot: {} and {} share {} {} and {} {}; expected one run a cell: take --group-by "
              "or --draws with the key in which they differ",
              found->run_id, run->run_id, down.label, text_of(row), across.label, text_of(column));
        found = run;
      }
      cells.push_back(found ? cell_of(report, *found, number) : "-");
    }
  }
  return table;
}

}  // namespace wkvq
