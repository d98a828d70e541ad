#pragma once

#include <functional>
#include <string>
#include <vector>

#include "analysis/figures/figure.h"

namespace wkvq {

/// One evaluation of one run of a figure.
struct EvaluationOfRun {
  size_t run = 0;  ///< index into FigureInput
  const Evaluation* evaluation = nullptr;
};

/// Evaluations of equal metric, data set, KV mode and convention: what may share a panel.
struct EvaluationGroup {
  std::string title;       ///< "kl, self, kv past"
  std::string convention;  ///< in words
  std::vector<EvaluationOfRun> members;
};

/// The evaluations that `wanted` takes, grouped in order of appearance; at most `most` groups.
std::vector<EvaluationGroup> evaluation_groups(
    const FigureInput& input, size_t most, const std::function<bool(const Evaluation&)>& wanted);

/// True of every KL divergence that is a mean.
bool is_kl(const Evaluation& evaluation);
/// True of every perplexity.
bool is_perplexity(const Evaluation& evaluation);

}  // namespace wkvq
