#include <algorithm>
#include <limits>
#include <optional>

#include "analysis/figures/evaluations.h"

namespace wkvq {
namespace {

constexpr size_t kMostPanels = 6;

std::optional<double> cost_of(const RunSummary& run, const std::string& name) {
  for (const auto& [key, value] : run.cost) {
    if (key != name) continue;
    if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
    if (const auto* real = std::get_if<double>(&value); real && std::isfinite(*real)) return *real;
  }
  return std::nullopt;
}

/// What the runs of a figure differ in, as a size.
struct Size {
  std::string label;
  std::vector<std::string> costs;  ///< added up
  double scale = 1;

  std::optional<double> of(const RunSummary& run) const {
    double sum = 0;
    for (const std::string& name : costs) {
      const auto cost = cost_of(run, name);
      if (!cost) return std::nullopt;
      sum += *cost * scale;
    }
    return sum;
  }
  bool varies(const FigureInput& input) const {
    std::optional<double> first;
    return std::ranges::any_of(input.runs, [&](const RunSummary* run) {
      const auto size = of(*run);
      if (!first) first = size;
      return size != first;
    });
  }
};

Size size_of(const FigureInput& input) {
  const Size cache{"stored bits of a key or value (mean, scales included)",
                   {"stored_bits_per_key", "stored_bits_per_value"},
                   0.5};
  const Size weights{"stored bits of a weight (scales included)", {"stored_bits_per_weight"}, 1};
  if (!weights.varies(input)) return cache;
  if (!cache.varies(input)) return weights;
  return {"linears and KV cache at the model's full context (MB, 1e6 bytes)",
          {"bytes_linears", "bytes_kv_cache"},
          1e-6};
}

/// Of `points` those that no other beats in size and loss, from small to large.
std::vector<Point> front_of(std::vector<Point> points) {
  std::ranges::sort(points, [](const Point& a, const Point& b) {
    return std::pair(a.x, a.y) < std::pair(b.x, b.y);
  });
  std::vector<Point> front;
  double best = std::numeric_limits<double>::infinity();
  for (Point point : points) {
    if (!(point.y < best)) continue;
    best = point.y;
    point.error = NAN;
    front.push_back(point);
  }
  return front;
}

Panel panel_of(const FigureInput& input, const Size& size, const EvaluationGroup& group) {
  const bool kl = is_kl(*group.members.front().evaluation);
  Curves curves{{size.label}, {kl ? "KL (nats a token)" : "perplexity", kl}, {}};
  std::vector<Point> all;
  for (const auto& [run, evaluation] : group.members) {
    const auto x = size.of(*input.runs[run]);
    if (!x || !std::isfinite(evaluation->value)) continue;
    if (kl && evaluation->value <= 0) continue;  // full precision is what KL is measured from
    auto series = std::ranges::find(curves.series, input.groups[run], &Series::name);
    if (series == curves.series.end())
      series = curves.series.insert(series, {.name = input.groups[run], .line = false});
    series->points.push_back(
        {*x, evaluation->value, evaluation->stderr_, input.labels[run], input.places[run]});
    all.push_back(series->points.back());
  }
  if (curves.series.empty()) return {};
  curves.series.push_back(
      {.name = "not beaten", .points = front_of(all), .markers = false, .step = true});
  return {group.title, "Error bars: standard errors. Convention: " + group.convention + ".",
          curves};
}

}  // namespace

FigureResult pareto_figure(const FigureInput& input) {
  auto groups = evaluation_groups(input, kMostPanels, is_kl);
  if (groups.empty()) groups = evaluation_groups(input, kMostPanels, is_perplexity);
  const Size size = size_of(input);
  FigureResult result;
  for (const EvaluationGroup& group : groups)
    if (Panel panel = panel_of(input, size, group); !panel.title.empty())
      result.panels.push_back(std::move(panel));
  if (result.panels.empty())
    result.absent =
        "No finished quantized run has a KL divergence or a perplexity, and the size of what it "
        "stores.";
  return result;
}

}  // namespace wkvq
