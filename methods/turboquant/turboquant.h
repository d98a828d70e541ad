#pragma once

#include "methods/common/weight_method.h"

namespace wkvq {

/// TurboQuant (Zandieh et al., arXiv 2504.19874): every key and value of a head is a length and a
/// rotated direction, whose coordinates go to the best codebook of a normal distribution; no
/// calibration. Lengths are kept by the directions read (vLLM's norm correction); `qjl` is off, as
/// there.
class TurboQuant final : public WeightMethod {
 public:
  TurboQuant();
  std::string summary() const override;
};

}  // namespace wkvq
