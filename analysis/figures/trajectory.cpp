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

}  // namespace

FigureResult trajectory_figure(const FigureInput& input) {
  FigureResult result;
  for (const Shown& shown : kShown)
    for (const EvaluationGroup& group :
         evaluation_groups(input, kMostPanels, [&](const Evaluation& evaluation) {
           return evaluation.task == "trajectory" && evaluation.metric == shown.metric;
         }))
      // Full precision differs from itself nowhere.
      if (Panel panel = position_panel(input, group,
                                       {.cluster = "prompt",
                                        .column = shown.column,
                                        .x = {"position in the written text (tokens)"},
                                        .y = {shown.label, shown.log},
                                        .full_precision = false},
                                       result.note);
          !panel.title.empty())
        result.panels.push_back(std::move(panel));
  if (result.panels.empty()) result.absent = "No finished run that quantizes has task trajectory.";
  return result;
}

}  // namespace wkvq
