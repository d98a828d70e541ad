#include "analysis/compare/baseline.h"

#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <set>

#include "analysis/read/dotted_key.h"
#include "analysis/read/load_runs.h"
#include "core/base/error.h"
#include "core/base/hdf5/probe.h"

namespace wkvq {
namespace {

using Kind = ReportColumn::Kind;
using Runs = std::vector<RunSummary>;

constexpr int64_t kFullPrecisionBits = 16;

/// Configuration keys in which the runs differ.
size_t distance(const RunSummary& a, const RunSummary& b) {
  std::set<std::string> keys;
  for (const auto* run : {&a, &b})
    for (const auto& [key, value] : run->config) keys.insert(key);
  return static_cast<size_t>(std::ranges::count_if(keys, [&](const std::string& key) {
    const AttributeValue* x = config_value(a, key);
    const AttributeValue* y = config_value(b, key);
    return value_less(x, y) || value_less(y, x);
  }));
}

bool fits(const std::string& asked, const RunSummary& run) {
  if (run.status != "done") return false;
  if (asked == "auto") return is_full_precision(run);
  std::error_code ignored;
  return fnmatch(asked.c_str(), run.run_id.c_str(), 0) == 0 ||
         std::filesystem::equivalent(asked, run.path, ignored);
}

/// Puts the runs that fit first.
size_t baselines_first(const std::string& asked, Runs& runs) {
  std::error_code ignored;
  const bool known = std::ranges::any_of(runs, [&](auto& run) { return fits(asked, run); });
  if (!known && std::filesystem::is_regular_file(asked, ignored))
    for (RunSummary& run : load_runs({asked})) runs.insert(runs.begin(), std::move(run));
  const auto end =
      std::stable_partition(runs.begin(), runs.end(), [&](auto& run) { return fits(asked, run); });
  if (end != runs.begin()) return static_cast<size_t>(end - runs.begin());
  std::vector<std::string> ids;
  for (const RunSummary& run : runs) ids.push_back(run.run_id);
  if (asked == "auto")
    config_error("--baseline auto: no finished run in full precision; name one of {}",
                 fmt::join(ids, ", "));
  config_error("--baseline '{}': no finished run of that id and no run file; expected one of {}",
               asked, fmt::join(ids, ", "));
}

/// The evaluation of `baseline` that `evaluation` is paired with; null where there is none.
const Evaluation* twin_of(const Evaluation& evaluation, const RunSummary& baseline) {
  const Evaluation* twin = nullptr;
  for (const Evaluation& other : baseline.evaluations) {
    if (other.name == evaluation.name) return &other;
    if (other.metric != evaluation.metric || other.dataset != evaluation.dataset ||
        other.convention != evaluation.convention)
      continue;
    if (!twin) twin = &other;
  }
  return twin;
}

/// Pairs `run` with `baseline`; adds to `result`.
void pair_runs(const RunSummary& run, const RunSummary& baseline,
               const std::vector<ReportColumn>& columns, BaselineDifferences& result) {
  const hdf5::Reader first(baseline.path), second(run.path);
  for (const ReportColumn& column : columns) {
    if (column.kind != Kind::kEvaluation) continue;
    const Evaluation* evaluation = evaluation_of(run, column);
    const Evaluation* twin = evaluation ? twin_of(*evaluation, baseline) : nullptr;
    // Rows that are all equal add no error: the difference says what the value says.
    if (!twin || !(twin->stderr_ > 0)) continue;
    try {
      result.found.emplace(
          std::pair(run.path.string(), evaluation->name),
          compare_rows({first, *twin}, {second, *evaluation}, {.samples = 0, .seed = 0}));
    } catch (const ConfigError& error) {
      const std::string note =
          fmt::format("no difference of {}: {}", evaluation->name, error.what());
      if (std::ranges::find(result.notes, note) == result.notes.end()) result.notes.push_back(note);
    }
  }
}

}  // namespace

bool is_full_precision(const RunSummary& run) {
  bool any = false;
  for (const auto& [key, value] : run.config) {
    if (!key.starts_with("method.") || !ends_with_part(key, "bits")) continue;
    const auto* bits = std::get_if<int64_t>(&value);
    if (!bits || *bits < kFullPrecisionBits) return false;
    any = true;
  }
  return any;
}

const Comparison* BaselineDifferences::of(const RunSummary& run,
                                          const Evaluation* evaluation) const {
  if (!evaluation) return nullptr;
  const auto place = found.find({run.path.string(), evaluation->name});
  return place == found.end() ? nullptr : &place->second;
}

BaselineDifferences differences_to(const std::string& asked, Runs& runs,
                                   const std::vector<ReportColumn>& columns) {
  const size_t count = baselines_first(asked, runs);
  std::vector<size_t> nearest(runs.size(), 0);
  for (size_t i = 0; i < runs.size(); ++i)
    for (size_t k = 1; k < count; ++k)
      if (distance(runs[i], runs[k]) < distance(runs[i], runs[nearest[i]])) nearest[i] = k;
  BaselineDifferences result;
  const std::set<size_t> used(nearest.begin(), nearest.end());
  if (used.size() == 1)
    result.notes.push_back("difference: to " + runs[nearest[0]].run_id +
                           ", paired over the same text");
  else
    result.notes.push_back("difference: to the run in column baseline, paired over the same text");
  const auto pair = [&](size_t i, BaselineDifferences& into) {
    if (i != nearest[i] && runs[i].status == "done")
      pair_runs(runs[i], runs[nearest[i]], columns, into);
  };
  // HDF5 crashes on some damaged files, which must not take the other runs along.
  const auto crashes = probe(runs.size(), [&](size_t i) {
    BaselineDifferences ignored;
    pair(i, ignored);
  });
  for (size_t i = 0; i < runs.size(); ++i) {
    if (crashes[i].empty())
      pair(i, result);
    else
      result.notes.push_back(fmt::format("no difference of {}: damaged: reading it ended with {}",
                                         runs[i].run_id, crashes[i]));
    if (runs[i].status == "done")
      runs[i].attributes.emplace_back("baseline", runs[nearest[i]].run_id);
  }
  return result;
}

void add_difference_columns(const BaselineDifferences& differences, const Runs& runs,
                            std::vector<ReportColumn>& columns) {
  std::vector<ReportColumn> all;
  for (ReportColumn& column : columns) {
    ReportColumn difference = column;
    all.push_back(std::move(column));
    if (difference.kind != Kind::kEvaluation) continue;
    difference.kind = Kind::kDifference;
    for (const RunSummary& run : runs) {
      const Comparison* one = differences.of(run, evaluation_of(run, difference));
      if (!one) continue;
      difference.label = "difference, " + unit_of(*one);
      all.push_back(difference);
      break;
    }
  }
  columns = std::move(all);
  std::set<AttributeValue> baselines;
  const ReportColumn baseline = plain_column(Kind::kRun, "baseline");
  for (const RunSummary& run : runs)
    if (const auto value = value_of(run, baseline)) baselines.insert(*value);
  if (baselines.size() < 2) return;
  const auto first = std::ranges::find_if(
      columns, [](const ReportColumn& column) { return column.kind == Kind::kEvaluation; });
  columns.insert(first, baseline);
}

}  // namespace wkvq
