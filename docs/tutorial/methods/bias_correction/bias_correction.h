#pragma once

#include "methods/common/weight_method.h"

namespace wkvq {

/// Bias correction (Nagel et al., arXiv 1906.04721): rounding W to W' shifts the mean output of a
/// linear by (W' - W) E[x]; its bias takes that back. E[x] is the mean input over calibration text.
class BiasCorrection final : public WeightMethod {
 public:
  std::string summary() const override;
  CalibrationNeeds calibration_needs() const override;

 protected:
  void visit_own(OptionVisitor& v) override;
  void round(BlockContext& context, Recorder& recorder) override;

 private:
  double share_ = 1;  ///< of the shift that is taken back
};

}  // namespace wkvq
