#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/tasks/common/task.h"

namespace wkvq {

/// Length of a choice's text.
struct TextLength {
  int64_t characters = 0;  ///< code points
  int64_t bytes = 0;       ///< of UTF-8
};

/// One multiple-choice question and where its answers are.
struct ChoiceItem {
  int64_t item = 0;                 ///< its number in rows
  size_t first = 0;                 ///< answers of its choices begin here
  size_t choices = 0;               ///< how many follow each other
  int64_t label = 0;                ///< the right one, from 0
  std::vector<TextLength> lengths;  ///< of each choice; empty where there is no text
};

/// What is largest for the choice that counts as the prediction; LL is the summed log-likelihood.
enum class ChoiceRule {
  kAcc,            ///< `acc`: LL
  kAccNorm,        ///< `acc_norm`: LL / characters
  kAccBytes,       ///< `acc_bytes`: LL / bytes
  kAccMutualInfo,  ///< `acc_mutual_info`: LL - LL without a context; those answers follow the
                   ///< others
};

/// Share of items whose prediction is the label. The first index wins ties; the prediction is -1
/// (wrong) where a value is NaN. Standard error = sample standard deviation (n - 1) / sqrt(n), NaN
/// with one item. Rows: item, ll_0.., label, prediction, correct, and what the rule divides by or
/// subtracts (chars_i, bytes_i, unconditional_i); `acc` has tokens_i, chars_i and bytes_i
/// where items have lengths. Items with fewer choices than others have NaN and -1 there.
Metric choice_accuracy(ChoiceRule rule, const std::vector<Scored>& scored,
                       const std::vector<ChoiceItem>& items, const std::string& convention);

/// Sum of the log-likelihoods of an answer's tokens.
double log_likelihood(const Scored& scored);

/// Standard error of the mean over all items of several parts, from the spread within each:
/// sqrt(sum (n_i - 1) n_i e_i^2 / (N - parts) / N), as lm-evaluation-harness pools the e_i of parts
/// with n_i items. Parts with one item say nothing of their spread; NaN where all are so.
double pooled_standard_error(const std::vector<Metric>& parts);

}  // namespace wkvq
