#include "analysis/report_columns.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "analysis/format_number.h"
#include "analysis/load_runs.h"
#include "core/base/error.h"

namespace wkvq {
namespace {

using Kind = ReportColumn::Kind;

ReportColumn plain(Kind kind, const std::string& name) {
  return {kind, name, name, "", "", "", ""};
}

ReportColumn column_of(const Evaluation& evaluation) {
  return {Kind::kEvaluation,  evaluation.name,    evaluation.name,      evaluation.metric,
          evaluation.dataset, evaluation.kv_mode, evaluation.convention};
}

bool same_number(const ReportColumn& column, const Evaluation& evaluation) {
  return column.name == evaluation.name && column.metric == evaluation.metric &&
         column.dataset == evaluation.dataset && column.kv_mode == evaluation.kv_mode &&
         column.convention == evaluation.convention;
}

/// Every kind of evaluation among the runs; those of one name stand together.
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

int64_t depth(const std::string& key) {
  return std::count(key.begin(), key.end(), '.');
}

/// The last `parts` parts of a dotted key.
std::string ending(const std::string& key, int64_t parts) {
  size_t at = key.size();
  for (; parts > 0 && at != std::string::npos; --parts)
    at = at == 0 ? std::string::npos : key.rfind('.', at - 1);
  return at == std::string::npos ? key : key.substr(at + 1);
}

bool ends_with_part(const std::string& key, const std::string& name) {
  return key == name || key.ends_with("." + name);
}

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j)
      diagonal = std::exchange(
          row[j + 1], std::min({row[j] + 1, row[j + 1] + 1, diagonal + (a[i] == b[j] ? 0U : 1U)}));
  }
  return row.back();
}

struct Names {
  std::vector<std::string> facts{"run_id", "sweep", "status", "path", "error"};
  std::set<std::string> keys;
  std::set<std::string> evaluations;
  std::set<std::string> costs;
};

Names names_in(const std::vector<RunSummary>& runs) {
  Names names;
  for (const RunSummary& run : runs) {
    for (const auto& [name, value] : run.attributes)
      if (std::find(names.facts.begin(), names.facts.end(), name) == names.facts.end())
        names.facts.push_back(name);
    for (const auto& [key, value] : run.config) names.keys.insert(key);
    for (const Evaluation& evaluation : run.evaluations) names.evaluations.insert(evaluation.name);
    for (const auto& [name, value] : run.cost) names.costs.insert("cost." + name);
  }
  return names;
}

[[noreturn]] void unknown(const std::string& name, const Names& names) {
  std::string nearest;
  size_t best = std::string::npos;
  const auto consider = [&](const std::string& candidate, const std::string& compared) {
    const size_t distance = edit_distance(name, compared);
    if (distance < best) nearest = candidate;
    best = std::min(best, distance);
  };
  for (const auto& fact : names.facts) consider(fact, fact);
  for (const auto& evaluation : names.evaluations) consider(evaluation, evaluation);
  for (const auto& cost : names.costs) consider(cost, cost);
  for (const auto& key : names.keys)
    for (int64_t parts = 1; parts <= depth(key) + 1; ++parts) consider(key, ending(key, parts));
  config_error(
      "no column '{}': expected a configuration key, an evaluation or a fact of the run; nearest: "
      "'{}'",
      name, nearest);
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
      cells.push_back(cells_of(run, {plain(Kind::kConfig, key)})[0]);
    const auto [found, fresh] = by_cells.try_emplace(cells, Alike{columns.size(), {}});
    found->second.keys.push_back(key);
    if (fresh)
      columns.push_back(plain(Kind::kConfig, key));
    else if (ReportColumn& first = columns[found->second.column]; depth(key) < depth(first.name))
      first = plain(Kind::kConfig, key);
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

std::vector<ReportColumn> default_columns(const std::vector<RunSummary>& runs,
                                          std::vector<std::string>& same_as) {
  std::vector<ReportColumn> columns = config_columns(runs, same_as);
  bool unreadable = false;
  std::set<std::string> sweeps;
  for (const RunSummary& run : runs) {
    unreadable |= run.status == "unreadable";
    if (run.status != "unreadable") sweeps.insert(run.sweep);
  }
  if (sweeps.size() > 1) columns.insert(columns.begin(), plain(Kind::kRun, "sweep"));
  std::set<std::vector<std::string>> rows;
  for (const RunSummary& run : runs) rows.insert(cells_of(run, columns));
  // Without it these rows could not be told apart.
  if (unreadable || columns.empty() || rows.size() < runs.size())
    columns.insert(columns.begin(), plain(Kind::kRun, "run_id"));
  for (ReportColumn& column : evaluation_columns(runs)) columns.push_back(std::move(column));
  columns.push_back(plain(Kind::kRun, "status"));
  return columns;
}

std::vector<ReportColumn> find_columns(const std::vector<RunSummary>& runs,
                                       const std::string& name) {
  const Names names = names_in(runs);
  if (std::find(names.facts.begin(), names.facts.end(), name) != names.facts.end())
    return {plain(Kind::kRun, name)};
  if (names.keys.contains(name)) return {plain(Kind::kConfig, name)};
  if (names.costs.contains(name)) return {plain(Kind::kCost, name)};
  if (names.evaluations.contains(name)) {
    std::vector<ReportColumn> columns = evaluation_columns(runs);
    std::erase_if(columns, [&](const ReportColumn& column) { return column.name != name; });
    return columns;
  }
  std::vector<std::string> matches;
  for (const std::string& key : names.keys)
    if (ends_with_part(key, name)) matches.push_back(key);
  if (matches.empty()) unknown(name, names);
  if (matches.size() > 1)
    config_error("column '{}' is ambiguous: {}", name, fmt::join(matches, ", "));
  return {plain(Kind::kConfig, matches.front())};
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
  for (const Evaluation& evaluation : run.evaluations)
    if (same_number(column, evaluation)) return &evaluation;
  return nullptr;
}

}  // namespace wkvq
