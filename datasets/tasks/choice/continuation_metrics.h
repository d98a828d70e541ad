#pragma once

#include <string>
#include <vector>

#include "datasets/tasks/common/choices.h"

namespace wkvq {

/// `acc` of items with one continuation each: the share where every token of it is the arg max.
/// Standard error: sample standard deviation / sqrt(n), NaN with one item. Rows: item, ll, tokens,
/// greedy.
Metric continuation_accuracy(const std::vector<Scored>& scored,
                             const std::vector<ChoiceItem>& items, const std::string& convention);

/// `perplexity` = exp(-m), m the mean over items of the continuation's summed log-likelihood; its
/// standard error is that of m times perplexity (delta method). The same rows.
Metric continuation_perplexity(const std::vector<Scored>& scored,
                               const std::vector<ChoiceItem>& items, const std::string& convention);

}  // namespace wkvq
