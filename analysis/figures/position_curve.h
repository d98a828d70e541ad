#pragma once

#include <string>
#include <vector>

#include "analysis/figures/plot.h"
#include "core/base/run/run_summary.h"

namespace wkvq {

/// Means of column `value` of an evaluation over up to 16 parts of its positions, with standard
/// errors over `cluster` (window, prompt); empty where it has no such rows. ConfigError where
/// columns differ in length.
std::vector<Point> curve_by_position(const RunSummary& run, const Evaluation& evaluation,
                                     const std::string& cluster, const std::string& value);

}  // namespace wkvq
