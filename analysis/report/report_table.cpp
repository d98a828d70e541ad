#include "analysis/report/report_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/compare/cells.h"
#include "analysis/read/load_runs.h"
#include "analysis/tables/format_number.h"
#include "analysis/tables/text_width.h"
#include "core/base/error.h"

namespace wkvq {
namespace {

using Kind = ReportColumn::Kind;
using Value = std::optional<AttributeValue>;

/// "[2]"; empty where `convention` has no note.
std::string note_of(const Report& report, const std::string& convention) {
  const auto note = std::ranges::find(report.conventions, convention);
  if (note == report.conventions.end()) return "";
  return fmt::format("[{}]", note - report.conventions.begin() + 1);
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
  const std::string note = column.convention_by_row ? "" : note_of(report, column.convention);
  if (!note.empty()) parts.back() += " " + note;
  return parts;
}

Cell cell_of(const Value& value) {
  return value ? text_cell(format_attribute(*value)) : Cell{};
}

bool leads(const ReportColumn& column) {
  return column.kind == Kind::kConfig || column.kind == Kind::kMode || column.name == "run_id" ||
         column.name == "sweep";
}

}  // namespace

std::vector<std::string> header_of(const Report& report, const ReportColumn& column) {
  if (column.kind == Kind::kEvaluation) return evaluation_parts(report, column);
  return {column.label};
}

Cell cell_of(const Report& report, const RunSummary& run, const ReportColumn& column) {
  if (column.kind == Kind::kEvaluation) {
    const Evaluation* evaluation = evaluation_of(run, column);
    if (!evaluation) return {};
    Cell cell = value_cell(*evaluation);
    cell.convention.clear();  // the column or the note says it
    if (column.convention_by_row) cell.note = note_of(report, evaluation->convention);
    return cell;
  }
  if (column.kind == Kind::kDifference) {
    const Comparison* one = report.differences.of(run, evaluation_of(run, column));
    if (!one) return {};
    Cell cell = difference_cell(*one);
    cell.convention.clear();
    return cell;
  }
  return cell_of(value_of(run, column));
}

Table table_of(const Report& report, const std::vector<const RunSummary*>& runs,
               const std::vector<ReportColumn>& columns) {
  Table table;
  table.rows.resize(runs.size());
  bool leading = true;
  for (const ReportColumn& column : columns) {
    std::vector<Cell> cells;
    for (const RunSummary* run : runs) cells.push_back(cell_of(report, *run, column));
    // Another group's evaluation.
    const bool empty = std::ranges::all_of(
        cells, [](const Cell& cell) { return cell.kind == Cell::Kind::kNothing; });
    if (empty && (column.kind == Kind::kEvaluation || column.kind == Kind::kDifference)) continue;
    leading &= leads(column);
    if (leading) ++table.key_columns;
    table.headers.push_back(header_of(report, column));
    for (size_t i = 0; i < runs.size(); ++i) table.rows[i].push_back(std::move(cells[i]));
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
    table.headers.push_back(fmt::format("{} {}", printable(across.label), text_of(cell_of(value))));
  for (const Value& row : values_of(runs, down)) {
    auto& cells = table.rows.emplace_back(std::vector{text_of(cell_of(row))});
    for (const Value& column : values_of(runs, across)) {
      const RunSummary* found = nullptr;
      for (const RunSummary* run : runs) {
        if (value_of(*run, down) != row || value_of(*run, across) != column) continue;
        if (cell_of(report, *run, number).kind == Cell::Kind::kNothing) continue;
        if (found)
          config_error(
              "--pivot: {} and {} share {} {} and {} {}; expected one run a cell: take --group-by "
              "or --draws with the key in which they differ",
              found->run_id, run->run_id, down.label, text_of(cell_of(row)), across.label,
              text_of(cell_of(column)));
        found = run;
      }
      cells.push_back(found ? text_of(cell_of(report, *found, number)) : "-");
    }
  }
  return table;
}

}  // namespace wkvq
