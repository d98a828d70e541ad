#include <algorithm>

#include "analysis/compare/baseline.h"
#include "analysis/figures/chosen_runs.h"
#include "analysis/figures/evaluations.h"
#include "analysis/figures/position_curve.h"

namespace wkvq {
namespace {

constexpr size_t kMostPanels = 4;

/// What is drawn of one metric of the task.
struct Shown {
  const char* metric;
  const char* column;
  const char* label;
  bool log = false;
};

constexpr Shown kShown[] = {
    {"trajectory_kl", "kl", "KL while following (nats a token)", true},
    {"equal_tokens", "equal", "share of equal tokens while writing"},
};

Panel panel_of(const FigureInput& input, const EvaluationGroup& group, const Shown& shown,
               std::string& left_out) {
  std::vector<EvaluationOfRun> members = group.members;
  // Full precision differs from itself nowhere.
  std::erase_if(members, [&](const auto& one) { return is_full_precision(*input.runs[one.run]); });
  left_out = keep_first(members, kMostCurves);
  Curves curves{{"position in the written text (tokens)"}, {shown.label, shown.log}, {}};
  for (const auto& [run, evaluation] : members) {
    std::vector<Point> points =
        curve_by_position(*input.runs[run], *evaluation, "prompt", shown.column);
    for (Point& point : points) point.run = input.places[run];
    if (!points.empty()) curves.series.push_back({.name = input.labels[run], .points = points});
  }
  if (curves.series.empty()) return {};
  return {group.title, "Convention: " + group.convention + ".", curves};
}

}  // namespace

FigureResult trajectory_figure(const FigureInput& input) {
  FigureResult result;
  for (const Shown& shown : kShown)
    for (const EvaluationGroup& group :
         evaluation_groups(input, kMostPanels, [&](const Evaluation& evaluation) {
           return evaluation.task == "trajectory" && evaluation.metric == shown.metric;
         }))
      if (Panel panel = panel_of(input, group, shown, result.note); !panel.title.empty())
        result.panels.push_back(std::move(panel));
  if (result.panels.empty()) result.absent = "No finished run that quantizes has task trajectory.";
  return result;
}

}  // namespace wkvq
