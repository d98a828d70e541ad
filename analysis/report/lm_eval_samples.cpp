#include "analysis/report/lm_eval_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/base/error.h"

namespace wkvq {
namespace {

using nlohmann::ordered_json;
using Columns = std::map<std::string, Column>;

size_t length(const Column& column) {
  return std::visit([](const auto& values) { return values.size(); }, column);
}

ordered_json cell(const Column& column, size_t row) {
  return std::visit([&](const auto& values) { return ordered_json(values.at(row)); }, column);
}

/// -1 or NaN: the value is missing.
double number(const Column& column, size_t row) {
  return std::visit(
      [&](const auto& values) -> double {
        if constexpr (std::is_same_v<std::decay_t<decltype(values)>, std::vector<std::string>>)
          config_error("a column of numbers holds text");
        else
          return static_cast<double>(values.at(row));
      },
      column);
}

Columns read_columns(const hdf5::Reader& file, const Evaluation& evaluation) {
  const std::string group = "/evaluation/" + evaluation.name;
  Columns columns;
  for (const std::string& name : file.datasets(group)) {
    columns[name] = file.column(group, name);
    if (length(columns[name]) != length(columns.begin()->second))
      config_error("columns of {} differ in length", group);
  }
  return columns;
}

/// What the harness calls resps: one [log-likelihood, is greedy] a choice, as text; is greedy is
/// left out where it was not recorded.
ordered_json responses(const Columns& columns, size_t row) {
  ordered_json list = ordered_json::array();
  if (const auto ll = columns.find("ll"); ll != columns.end()) {
    ordered_json one = {fmt::format("{}", number(ll->second, row))};
    if (const auto greedy = columns.find("greedy"); greedy != columns.end())
      one.push_back(number(greedy->second, row) > 0 ? "True" : "False");
    list.push_back(one);
  }
  for (int c = 0;; ++c) {
    const auto choice = columns.find(fmt::format("ll_{}", c));
    if (choice == columns.end()) break;
    const double ll = number(choice->second, row);
    // Items may have fewer choices than others.
    if (!std::isnan(ll)) list.push_back({fmt::format("{}", ll)});
  }
  return list;
}

/// The metric's value of one item or document, as the harness keeps it; null where it has none.
ordered_json value_of(const Columns& columns, const std::string& metric, size_t row) {
  const auto found = [&](const char* name) { return columns.find(name) != columns.end(); };
  if (found("nll") && (found("words") || found("bytes")))
    return {-number(columns.at("nll"), row),
            cell(columns.at(found("words") ? "words" : "bytes"), row)};
  if (metric == "perplexity" && found("ll")) return cell(columns.at("ll"), row);
  for (const char* name : {"correct", "greedy", "score"})
    if (found(name)) return number(columns.at(name), row);
  if (found("prediction") && found("label"))
    return cell(columns.at("prediction"), row) == cell(columns.at("label"), row) ? 1.0 : 0.0;
  return nullptr;
}

ordered_json new_sample(const Columns& columns, const std::string& key, size_t row) {
  ordered_json doc = {{key, cell(columns.at(key), row)}};
  ordered_json id = doc[key];
  // Items count within their part.
  if (const auto part = columns.find("part"); part != columns.end()) {
    doc["part"] = cell(part->second, row);
    id = row;
  }
  ordered_json sample = {{"doc_id", id}, {"doc", doc}};
  const auto label = columns.find("label");
  sample["target"] = label == columns.end() ? "" : cell(label->second, row).dump();
  const ordered_json filtered = responses(columns, row);
  ordered_json resps = ordered_json::array();
  for (const ordered_json& one : filtered) resps.push_back({one});
  sample["resps"] = resps;
  sample["filtered_resps"] = filtered;
  sample["filter"] = "none";
  sample["metrics"] = ordered_json::array();
  return sample;
}

}  // namespace

std::vector<ordered_json> lm_eval_samples(const hdf5::Reader& file,
                                          const std::vector<const Evaluation*>& evaluations) {
  std::vector<ordered_json> samples;
  for (const Evaluation* evaluation : evaluations) {
    const Columns columns = read_columns(file, *evaluation);
    // One row a token is no sample.
    if (columns.empty() || columns.contains("position")) continue;
    const std::string key = columns.contains("item") ? "item" : "document";
    if (!columns.contains(key)) continue;
    const size_t rows = length(columns.at(key));
    if (samples.empty())
      for (size_t row = 0; row < rows; ++row) samples.push_back(new_sample(columns, key, row));
    // Other items than the metrics before (a part of the task): not the same samples.
    if (rows != samples.size()) continue;
    for (size_t row = 0; row < rows; ++row) {
      const ordered_json value = value_of(columns, evaluation->metric, row);
      if (value.is_null()) continue;
      samples[row]["metrics"].push_back(evaluation->metric);
      samples[row][evaluation->metric] = value;
    }
  }
  return samples;
}

}  // namespace wkvq
