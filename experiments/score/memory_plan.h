#pragma once

#include "core/base/checkpoint/process_memory.h"
#include "experiments/score/evaluation.h"

namespace wkvq {

/// What a run of `config` does, as process_memory asks for it. Text that has to be sampled first
/// (data set `self`) is left out: it takes all blocks, once.
ProcessQuestion process_question(const RunConfig& config,
                                 const std::vector<PreparedEvaluation>& prepared, Session& session);

}  // namespace wkvq
