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
  // KL of full precision from itself is 0 everywhere.
  return position_panel(input, group,
                        {.cluster = "window",
                         .column = kl ? "kl" : "nll",
                         .x = {"position in the window (tokens)"},
                         .y = {kl ? "KL (nats a token)" : "NLL (nats a token)", kl},
                         .full_precision = !kl},
                        left_out);
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
