#pragma once

#include <string>
#include <vector>

#include "analysis/figures/evaluations.h"
#include "analysis/figures/plot.h"
#include "core/base/run/run_summary.h"

namespace wkvq {

/// What a panel of curves by position shows of an evaluation.
struct PositionAxes {
  const char* cluster;  ///< column over which errors are taken: window, prompt
  const char* column;   ///< column whose means are drawn
  Axis x, y;
  bool full_precision = true;  ///< whether it is a curve too
};

/// A curve a run of the group, as many as fit; `left_out` says which are not there. Points are means
/// over up to 16 parts of the positions. Without title where no run has such rows. ConfigError where
/// columns differ in length.
Panel position_panel(const FigureInput& input, const EvaluationGroup& group,
                     const PositionAxes& axes, std::string& left_out);

}  // namespace wkvq
