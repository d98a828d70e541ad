#include "analysis/compare/paired_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "core/base/files/hash.h"

namespace wkvq {
namespace {

using Names = std::vector<std::string>;

bool has(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// The first of `wanted` among `names`, or empty.
std::string first_of(const Names& wanted, const Names& names) {
  const auto found = std::find_if(wanted.begin(), wanted.end(),
                                  [&](const std::string& name) { return has(names, name); });
  return found == wanted.end() ? std::string() : *found;
}

std::vector<double> numbers(const EvaluationRows& rows, const std::string& name) {
  const Column column = rows.file.column(rows.group(), name);
  return std::visit(
      [&](const auto& values) -> std::vector<double> {
        if constexpr (std::is_same_v<std::decay_t<decltype(values)>, Names>)
          config_error("column '{}' holds text; expected numbers", name);
        else
          return {values.begin(), values.end()};
      },
      column);
}

Names texts(const EvaluationRows& rows, const std::string& name) {
  const Column column = rows.file.column(rows.group(), name);
  return std::visit(
      [](const auto& values) {
        Names result;
        for (const auto& value : values) result.push_back(fmt::format("{}", value));
        return result;
      },
      column);
}

void require_same(const EvaluationRows& first, const EvaluationRows& second,
                  const std::string& column) {
  if (first.file.column(first.group(), column) != second.file.column(second.group(), column))
    config_error("the runs differ in column '{}': not the same tokens or items", column);
}

std::string fingerprint(const EvaluationRows& rows) {
  const auto value = rows.file.attribute(rows.group(), "data_fingerprint");
  const auto* text = value ? std::get_if<std::string>(&*value) : nullptr;
  if (!text || text->empty()) config_error("no data fingerprint: cannot tell what was scored");
  return *text;
}

void require_same_data(const EvaluationRows& first, const EvaluationRows& second) {
  const std::string a = fingerprint(first), b = fingerprint(second);
  if (a != b) config_error("other data: fingerprint {} and {}", a, b);
  if (first.evaluation.convention != second.evaluation.convention)
    config_error("other conventions: '{}' and '{}'", first.evaluation.convention,
                 second.evaluation.convention);
}

/// Where the compared numbers come from: a column, or `prediction` and `label`.
struct Source {
  std::string value;   ///< as in PairedRows
  std::string column;  ///< empty: prediction == label
  double sign = 1;
};

/// ConfigError where there are no rows that can be paired.
Source source_of(const Evaluation& evaluation, const Names& names) {
  if (has(names, "correct")) return {"correct", "correct"};
  if (has(names, "prediction") && has(names, "label")) return {"correct", ""};
  if (has(names, "ll") && evaluation.metric == "perplexity") return {"nll", "ll", -1};
  if (has(names, "greedy")) return {"correct", "greedy"};
  for (const char* name : {"score", "nll", "kl", "agree"})
    if (has(names, name)) return {name, name};
  config_error("no raw rows that can be paired");
}

std::vector<double> values_of(const EvaluationRows& rows, const Source& source) {
  if (!source.column.empty()) {
    std::vector<double> values = numbers(rows, source.column);
    for (double& value : values) value *= source.sign;
    return values;
  }
  const Names prediction = texts(rows, "prediction"), label = texts(rows, "label");
  if (prediction.size() != label.size()) config_error("columns differ in length");
  std::vector<double> right;
  for (size_t i = 0; i < label.size(); ++i) right.push_back(prediction[i] == label[i] ? 1 : 0);
  return right;
}

/// One name a row: rows of one name belong together. Items count within their part.
Names clusters_of(const EvaluationRows& rows, const std::string& column, const Names& names) {
  Names clusters = texts(rows, column);
  if (column != "item" || !has(names, "part")) return clusters;
  const Names parts = texts(rows, "part");
  if (parts.size() != clusters.size()) config_error("columns differ in length");
  for (size_t i = 0; i < parts.size(); ++i) clusters[i] = parts[i] + "/" + clusters[i];
  return clusters;
}

/// Adds rows up by cluster, clusters in order of their first row.
PairedSums by_cluster(const Names& cluster, const std::vector<double>& first,
                      const std::vector<double>& second, const std::vector<double>& weight) {
  if (first.size() != cluster.size() || second.size() != cluster.size() ||
      weight.size() != cluster.size())
    config_error("columns differ in length");
  PairedSums sums;
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < cluster.size(); ++i) {
    const auto [place, fresh] = places.try_emplace(cluster[i], places.size());
    if (fresh)
      for (auto* column : {&sums.first, &sums.second, &sums.weight}) column->push_back(0);
    sums.first[place->second] += first[i];
    sums.second[place->second] += second[i];
    sums.weight[place->second] += weight[i];
  }
  return sums;
}

/// Columns that say which tokens or items the rows are, those that are there.
Names identity_of(const Names& names) {
  Names keys;
  for (const char* key :
       {"part", "item", "document", "window", "position", "label", "words", "bytes"})
    if (has(names, key)) keys.emplace_back(key);
  return keys;
}

/// What one row weighs, and in which unit.
std::pair<std::vector<double>, std::string> weights_of(const EvaluationRows& rows,
                                                       const Names& names, size_t count) {
  for (const char* unit : {"byte", "word"})
    if (const std::string column = std::string(unit) + "s"; has(names, column))
      return {numbers(rows, column), unit};
  return {std::vector<double>(count, 1.0), has(names, "item") ? "item" : "token"};
}

std::string cluster_column(const Names& names) {
  const std::string column = first_of({"item", "document", "window"}, names);
  if (column.empty()) config_error("no raw rows that can be paired");
  return column;
}

void add_to(Hasher& hasher, const Column& column) {
  std::visit(
      [&](const auto& values) {
        if constexpr (std::is_same_v<std::decay_t<decltype(values)>, Names>)
          for (const std::string& text : values) hasher.add_part(text);
        else
          hasher.add(values.data(), values.size() * sizeof(values[0]));
      },
      column);
}

}  // namespace

PairedRows pair_rows(const EvaluationRows& first, const EvaluationRows& second) {
  require_same_data(first, second);
  const Names names = first.file.datasets(first.group());
  const Names others = second.file.datasets(second.group());
  PairedRows rows;
  const Source source = source_of(first.evaluation, names);
  rows.value = source.value;
  rows.cluster = cluster_column(names);
  const Names needed = source.column.empty() ? Names{rows.cluster, "prediction", "label"}
                                             : Names{rows.cluster, source.column};
  for (const std::string& name : needed)
    if (!has(others, name)) config_error("the second run has no column '{}'", name);
  for (const std::string& key : identity_of(names)) require_same(first, second, key);
  const Names cluster = clusters_of(first, rows.cluster, names);
  const auto [weight, unit] = weights_of(first, names, cluster.size());
  rows.unit = unit;
  rows.sums = by_cluster(cluster, values_of(first, source), values_of(second, source), weight);
  if (rows.sums.weight.empty()) config_error("no raw rows that can be paired");
  if (rows.value != "correct") return rows;
  if (rows.sums.weight.size() != cluster.size()) config_error("an item occurs twice");
  rows.items = cluster;
  return rows;
}

ClusterSums cluster_sums(const EvaluationRows& rows) {
  const Names names = rows.file.datasets(rows.group());
  const Source source = source_of(rows.evaluation, names);
  const Names cluster = clusters_of(rows, cluster_column(names), names);
  const auto [weight, unit] = weights_of(rows, names, cluster.size());
  const std::vector<double> values = values_of(rows, source);
  PairedSums sums = by_cluster(cluster, values, values, weight);
  Hasher hasher;
  hasher.add_part(fingerprint(rows)).add_part(rows.evaluation.convention).add_part(source.value);
  for (const std::string& key : identity_of(names)) {
    hasher.add_part(key);
    add_to(hasher, rows.file.column(rows.group(), key));
  }
  ClusterSums result{std::move(sums.first), std::move(sums.weight), source.value, unit,
                     hasher.hex()};
  if (source.value != "correct") return result;
  if (result.sums.size() != cluster.size()) config_error("an item occurs twice");
  result.items = cluster;
  return result;
}

bool has_items(const EvaluationRows& rows) {
  const Names names = rows.file.datasets(rows.group());
  if (!has(names, "item")) return false;
  try {
    return source_of(rows.evaluation, names).value == "correct";
  } catch (const ConfigError&) {
    return false;
  }
}

}  // namespace wkvq
