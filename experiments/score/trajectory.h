#pragma once

#include <vector>

#include "core/calibrate/method.h"
#include "core/model/model_source.h"
#include "experiments/score/evaluation.h"

namespace wkvq {

/// The texts of a task that follows (Task::follows): what the full-precision model writes for each
/// request of `prepared`, what the model of `blocks` says of it token by token through its cache,
/// what it writes itself, and full precision's NLL of that. Prompts of both have the same prefill
/// and go in the same groups, so that the model against itself differs in nothing.
std::vector<Scored> follow_texts(ModelSource& source, const PreparedEvaluation& prepared,
                                 const std::vector<QuantizedBlock>& blocks,
                                 const ShareTold& told = {});

}  // namespace wkvq
