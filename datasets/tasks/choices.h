#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/task.h"

namespace wkvq {

/// `acc` of multiple choice: `scored` holds the choices of item 0, then those of item 1 and so on,
/// equally many an item; `labels` the right choice of each. The choice with the highest summed
/// log-likelihood is the prediction, the first index wins ties; it is -1 (wrong) where one of them
/// is NaN. Standard error = sample standard deviation (n - 1) / sqrt(n), NaN with one item. Rows:
/// item, ll_0.., label, prediction, correct.
Metric choice_accuracy(const std::vector<Scored>& scored, const std::vector<int64_t>& labels,
                       const std::string& convention);

}  // namespace wkvq
