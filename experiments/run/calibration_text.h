#pragma once

#include <string>
#include <vector>

#include "core/base/recorder.h"
#include "datasets/corpora/overlap.h"
#include "experiments/score/evaluation.h"

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

/// All that is to be said of a run before it starts: shared text, calibration text without variety
/// or too short for the options, groups that do not divide, views that quantize nothing.
std::vector<std::string> run_warnings(const RunConfig& config, Session& session);

/// Writes tokens, distinct_tokens and repeated_share of the calibration text to /calibration, and
/// `warnings` to the column /warnings/text.
void record_calibration_text(const RunConfig& config, Session& session, Recorder& recorder);
void record_warnings(Recorder& recorder, const std::vector<std::string>& warnings);

}  // namespace wkvq
