#include "analysis/read/report_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "analysis/read/dotted_key.h"
#include "analysis/read/load_runs.h"
#include "analysis/tables/format_number.h"

namespace wkvq {
namespace {

using Kind = ReportColumn::Kind;

ReportColumn column_of(const Evaluation& evaluation) {
  ReportColumn column = plain_column(Kind::kEvaluation, evaluation.name);
  column.metric = evaluation.metric;
  column.dataset = evaluation.dataset;
  column.kv_mode = evaluation.kv_mode;
  column.convention = evaluation.convention;
  return column;
}

bool same_number(const ReportColumn& column, const Evaluation& evaluation) {
  return column.name == evaluation.name && column.metric == evaluation.metric &&
         column.dataset == evaluation.dataset && column.convention == evaluation.convention &&
         column.kv_mode == evaluation.kv_mode;
}

/// What `run` has for each column that is no evaluation, as text.
std::vector<std::string> cells_of(const RunSummary& run, const std::vector<ReportColumn>& columns) {
  std::vector<std::string> cells;
  for (const ReportColumn& column : columns) {
    const auto value = value_of(run, column);
    cells.push_back(value ? format_attribute(*value) : "");
  }
  return cells;
}

std::vector<ReportColumn> config_columns(const std::vector<RunSummary>& runs,
                                         std::vector<std::string>& same_as) {
  struct Alike {
    size_t column;
    std::vector<std::string> keys;
  };
  std::vector<ReportColumn> columns;
  std::map<std::vector<std::string>, Alike> by_cells;
  for (const std::string& key : differing_keys(runs)) {
    // The sweep's name is a fact of the run.
    if (key == "name") continue;
    std::vector<std::string> cells;
    for (const RunSummary& run : runs)
      cells.push_back(cells_of(run, {plain_column(Kind::kConfig, key)})[0]);
    const auto [found, fresh] = by_cells.try_emplace(cells, Alike{columns.size(), {}});
    found->second.keys.push_back(key);
    if (fresh)
      columns.push_back(plain_column(Kind::kConfig, key));
    else if (ReportColumn& first = columns[found->second.column]; depth(key) < depth(first.name))
      first = plain_column(Kind::kConfig, key);
  }
  for (const auto& [cells, alike] : by_cells) {
    if (alike.keys.size() == 1) continue;
    std::string text = columns[alike.column].name;
    for (const std::string& key : alike.keys)
      if (key != columns[alike.column].name) text += " = " + key;
    same_as.push_back(text);
  }
  return columns;
}

}  // namespace

std::vector<ReportColumn> evaluation_columns(const std::vector<RunSummary>& runs) {
  std::vector<ReportColumn> columns;
  for (const RunSummary& run : runs)
    for (const Evaluation& evaluation : run.evaluations) {
      const auto same = [&](const ReportColumn& c) { return same_number(c, evaluation); };
      if (std::any_of(columns.begin(), columns.end(), same)) continue;
      const auto last = std::find_if(columns.rbegin(), columns.rend(), [&](const ReportColumn& c) {
        return c.name == evaluation.name;
      });
      columns.insert(last == columns.rend() ? columns.end() : last.base(), column_of(evaluation));
    }
  return columns;
}

std::vector<ReportColumn> default_columns(const std::vector<RunSummary>& runs,
                                          std::vector<std::string>& same_as) {
  std::vector<ReportColumn> columns = config_columns(runs, same_as);
  bool unreadable = false;
  std::set<std::string> sweeps;
  for (const RunSummary& run : runs) {
    unreadable |= run.status == "unreadable";
    if (run.status != "unreadable") sweeps.insert(run.sweep);
  }
  if (sweeps.size() > 1) columns.insert(columns.begin(), plain_column(Kind::kRun, "sweep"));
  std::set<std::vector<std::string>> rows;
  for (const RunSummary& run : runs) rows.insert(cells_of(run, columns));
  // Without it these rows could not be told apart.
  if (unreadable || columns.empty() || rows.size() < runs.size())
    columns.insert(columns.begin(), plain_column(Kind::kRun, "run_id"));
  for (ReportColumn& column : evaluation_columns(runs)) columns.push_back(std::move(column));
  columns.push_back(plain_column(Kind::kRun, "status"));
  return columns;
}

void shorten_labels(std::vector<ReportColumn>& columns) {
  for (ReportColumn& column : columns) {
    if (column.kind != Kind::kConfig) continue;
    for (int64_t parts = 2; parts <= depth(column.name); ++parts) {
      const std::string label = ending(column.name, parts);
      const auto clashes = std::count_if(columns.begin(), columns.end(), [&](const auto& other) {
        return ends_with_part(other.name, label);
      });
      if (clashes > 1) continue;
      column.label = label;
      break;
    }
  }
}

std::optional<AttributeValue> value_of(const RunSummary& run, const ReportColumn& column) {
  if (column.kind == Kind::kConfig) {
    const AttributeValue* value = config_value(run, column.name);
    return value ? std::optional(*value) : std::nullopt;
  }
  if (column.kind == Kind::kMode) {
    for (const Evaluation& evaluation : run.evaluations)
      if (std::find(column.members.begin(), column.members.end(), evaluation.name) !=
          column.members.end())
        return evaluation.kv_mode;
    return std::nullopt;
  }
  if (column.name == "run_id") return run.run_id;
  if (column.name == "sweep") return run.sweep;
  if (column.name == "status") return run.status;
  if (column.name == "path") return run.path.string();
  if (column.name == "error") return run.error;
  const bool is_cost = column.kind == Kind::kCost;
  for (const auto& [name, value] : is_cost ? run.cost : run.attributes)
    if (column.name == (is_cost ? "cost." + name : name)) return value;
  return std::nullopt;
}

const Evaluation* evaluation_of(const RunSummary& run, const ReportColumn& column) {
  for (const Evaluation& evaluation : run.evaluations) {
    const auto same = [&](const ReportColumn& one) { return same_number(one, evaluation); };
    if (same(column) || std::ranges::any_of(column.also, same)) return &evaluation;
  }
  return nullptr;
}

}  // namespace wkvq
