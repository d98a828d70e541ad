#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "core/transformer.h"
#include "datasets/task.h"

namespace wkvq {

/// What scoring compares with: hidden states of the full-precision model, or nothing.
struct Reference {
  at::Tensor hidden;  ///< [seq, hidden] of the same request, or undefined
};

/// Scores one request from the hidden states [seq, hidden] that leave its last block: the token at
/// position i + 1 is predicted from position i. Log-probabilities in float32, or float64 for
/// float64 hidden states; KL sums in double.
Scored score_request(const Head& head, const Request& request, const at::Tensor& hidden,
                     const Reference& reference);

}  // namespace wkvq
