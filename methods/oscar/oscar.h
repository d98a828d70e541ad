#pragma once

#include "methods/common/weight_method.h"

namespace wkvq {

/// OSCAR (arXiv 2605.17757): a cache of 2 bits in a basis that the queries choose: keys are rotated
/// to the eigenvectors of the queries' covariance, values to those of their own weighted by what
/// their keys receive, and a Hadamard matrix spreads these (core/calibrate/fitted_rotation.h). Ends
/// of ranges are clipped, the first 64 and the newest 256 tokens stay exact.
class Oscar final : public WeightMethod {
 public:
  Oscar();
  std::string summary() const override;
};

}  // namespace wkvq
