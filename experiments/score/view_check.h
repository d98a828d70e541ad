#pragma once

#include <string>
#include <vector>

#include "experiments/score/evaluation.h"

namespace wkvq {

/// ConfigError where the view of `prepared`, given for it or for the method, leaves every key and
/// value of all its sequences in full precision although the cache is quantized: a window, sinks or
/// a prefill as long as the text. A view that the method has by default passes.
void check_view(const RunConfig& config, const PreparedEvaluation& prepared);

/// A sentence for every entry whose view by default does so.
std::vector<std::string> view_warnings(const RunConfig& config,
                                       const std::vector<PreparedEvaluation>& prepared);

}  // namespace wkvq
