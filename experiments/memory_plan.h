#pragma once

#include "core/base/process_memory.h"
#include "experiments/evaluation.h"

namespace wkvq {

/// What a run of `config` does, as the byte model asks for it.
ProcessQuestion process_question(const RunConfig& config,
                                 const std::vector<PreparedEvaluation>& prepared, Session& session);

/// The peak of the resident memory that a run is expected to reach in a process of its own:
/// libraries, pages of mapped files, weights, hidden states, the method's own, logits, caches. Text
/// that has to be sampled first (data set `self`) is not counted: it takes all blocks, once.
double estimated_bytes(const RunConfig& config, const std::vector<PreparedEvaluation>& prepared,
                       Session& session);
double estimated_bytes(const RunConfig& config, Session& session);

}  // namespace wkvq
