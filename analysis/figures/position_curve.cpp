#include "analysis/figures/position_curve.h"

#include <algorithm>
#include <map>

#include "analysis/compare/baseline.h"
#include "analysis/compare/paired_statistics.h"
#include "analysis/figures/chosen_runs.h"
#include "analysis/read/number_column.h"
#include "core/base/error.h"

namespace wkvq {
namespace {

constexpr size_t kBuckets = 16;

/// The mean of `value` over the positions [first, last] of all clusters.
Point bucket_mean(const std::vector<double>& cluster, const std::vector<double>& position,
                  const std::vector<double>& value, double first, double last) {
  std::map<double, std::pair<double, double>> clusters;  // sum, tokens
  for (size_t i = 0; i < value.size(); ++i) {
    if (position[i] < first || position[i] > last) continue;
    auto& [sum, tokens] = clusters[cluster[i]];
    sum += value[i];
    tokens += 1;
  }
  PairedSums sums;
  for (const auto& [name, one] : clusters) {
    sums.first.push_back(0);
    sums.second.push_back(one.first);
    sums.weight.push_back(one.second);
  }
  const PairedDifference mean = paired_difference(sums, {.samples = 0});
  return {(first + last) / 2, mean.value, mean.standard_error};
}

std::vector<Point> curve_by_position(const RunSummary& run, const Evaluation& evaluation,
                                     const std::string& cluster, const std::string& value_name) {
  const hdf5::Reader file(run.path);
  const std::string group = "/evaluation/" + evaluation.name;
  const std::vector<double> window = number_column(file, group, cluster);
  const std::vector<double> position = number_column(file, group, "position");
  const std::vector<double> value = number_column(file, group, value_name);
  if (value.empty() || position.empty() || window.empty()) return {};
  if (window.size() != value.size() || position.size() != value.size())
    config_error("{}: columns of {} differ in length", run.path.string(), group);
  const auto [first, last] = std::ranges::minmax(position);
  const auto buckets =
      static_cast<double>(std::min(kBuckets, static_cast<size_t>(last - first) + 1));
  std::vector<Point> points;
  for (double i = 0; i < buckets; ++i) {
    const double low = first + std::floor(i * (last - first + 1) / buckets);
    const double high = first + std::floor((i + 1) * (last - first + 1) / buckets) - 1;
    points.push_back(bucket_mean(window, position, value, low, high));
  }
  return points;
}

}  // namespace

Panel position_panel(const FigureInput& input, const EvaluationGroup& group,
                     const PositionAxes& axes, std::string& left_out) {
  std::vector<EvaluationOfRun> members = group.members;
  if (!axes.full_precision)
    std::erase_if(members,
                  [&](const auto& one) { return is_full_precision(*input.runs[one.run]); });
  left_out = keep_first(members, kMostCurves);
  Curves curves{axes.x, axes.y, {}};
  for (const auto& [run, evaluation] : members) {
    std::vector<Point> points =
        curve_by_position(*input.runs[run], *evaluation, axes.cluster, axes.column);
    for (Point& point : points) point.run = input.places[run];
    if (!points.empty()) curves.series.push_back({.name = input.labels[run], .points = points});
  }
  if (curves.series.empty()) return {};
  return {group.title, "Convention: " + group.convention + ".", curves};
}

}  // namespace wkvq
