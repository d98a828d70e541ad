#pragma once

#include <string>
#include <vector>

#include "datasets/overlap.h"
#include "experiments/evaluation.h"

namespace wkvq {

/// The windows that calibration reads; none where the configuration has no calibration text.
/// ConfigError where the data holds fewer than asked for.
std::vector<std::vector<int32_t>> calibration_windows(const RunConfig& config, Session& session);

/// How much of each entry's text the method is calibrated on, in their order; empty where it looks
/// at no calibration text.
std::vector<Overlap> calibration_overlap(const RunConfig& config, Session& session,
                                         const std::vector<PreparedEvaluation>& prepared);

/// A sentence for every entry that shares text with the calibration.
std::vector<std::string> overlap_warnings(const RunConfig& config, Session& session);

}  // namespace wkvq
