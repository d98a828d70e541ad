#include <algorithm>

#include "analysis/compare/baseline.h"
#include "analysis/figures/chosen_runs.h"
#include "analysis/figures/evaluations.h"
#include "analysis/figures/position_curve.h"

namespace wkvq {
namespace {

constexpr size_t kMostPanels = 4;

bool is_windowed_kl(const Evaluation& evaluation) {
  return is_kl(evaluation) && evaluation.task != "trajectory";
}

Panel panel_of(const FigureInput& input, const EvaluationGroup& group, std::string& left_out) {
  const bool kl = is_kl(*group.members.front().evaluation);
  std::vector<EvaluationOfRun> members = group.members;
  // KL of full precision from itself is 0 everywhere.
  if (kl)
    std::erase_if(members,
                  [&](const auto& one) { return is_full_precision(*input.runs[one.run]); });
  left_out = keep_first(members, kMostCurves);
  Curves curves{{"position in the window (tokens)"},
                {kl ? "KL (nats a token)" : "NLL (nats a token)", kl},
                {}};
  for (const auto& [run, evaluation] : members) {
    std::vector<Point> points =
        curve_by_position(*input.runs[run], *evaluation, "window", kl ? "kl" : "nll");
    for (Point& point : points) point.run = input.places[run];
    if (!points.empty()) curves.series.push_back({.name = input.labels[run], .points = points});
  }
  if (curves.series.empty()) return {};
  return {group.title, "Convention: " + group.convention + ".", curves};
}

}  // namespace

FigureResult position_figure(const FigureInput& input) {
  FigureResult result;
  for (const auto wanted : {is_windowed_kl, is_perplexity}) {
    for (const EvaluationGroup& group : evaluation_groups(input, kMostPanels, wanted))
      if (Panel panel = panel_of(input, group, result.note); !panel.title.empty())
        result.panels.push_back(std::move(panel));
    if (!result.panels.empty()) return result;
  }
  result.note.clear();
  result.absent = "No finished run has a perplexity or KL divergence with rows of positions.";
  return result;
}

}  // namespace wkvq
