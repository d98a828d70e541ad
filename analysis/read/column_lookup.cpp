#include "analysis/read/column_lookup.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "analysis/read/dotted_key.h"
#include "core/base/error.h"

namespace wkvq {
namespace {

using Kind = ReportColumn::Kind;

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

}  // namespace

std::vector<ReportColumn> find_columns(const std::vector<RunSummary>& runs,
                                       const std::string& name) {
  const Names names = names_in(runs);
  if (std::find(names.facts.begin(), names.facts.end(), name) != names.facts.end())
    return {plain_column(Kind::kRun, name)};
  if (names.keys.contains(name)) return {plain_column(Kind::kConfig, name)};
  if (names.costs.contains(name)) return {plain_column(Kind::kCost, name)};
  const bool whole = names.evaluations.contains(name);
  std::vector<ReportColumn> columns = evaluation_columns(runs);
  std::erase_if(columns,
                [&](const ReportColumn& c) { return (whole ? c.name : c.metric) != name; });
  if (!columns.empty()) return columns;
  std::vector<std::string> matches;
  for (const std::string& key : names.keys)
    if (ends_with_part(key, name)) matches.push_back(key);
  if (matches.empty()) unknown(name, names);
  if (matches.size() > 1)
    config_error("column '{}' is ambiguous: {}", name, fmt::join(matches, ", "));
  return {plain_column(Kind::kConfig, matches.front())};
}

}  // namespace wkvq
