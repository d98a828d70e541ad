#pragma once

#include "experiments/score/evaluation.h"

namespace wkvq {

/// Throws NotFiniteError where a log-likelihood or a divergence of `scored` is not finite, with
/// sequence and position. Asks the full-precision model first: where its logits are not finite
/// either, it is to blame.
void check_scores(ModelSource& source, const PreparedEvaluation& prepared,
                  const std::vector<Scored>& scored);

/// Throws NotFiniteError where the value of `metric` is not finite. Standard errors may be NaN: one
/// window says nothing of their spread.
void check_metric(const std::string& name, const Metric& metric);

}  // namespace wkvq
