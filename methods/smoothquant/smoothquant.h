#pragma once

#include "methods/common/scaling_site.h"
#include "methods/common/weight_method.h"

namespace wkvq {

/// SmoothQuant (Xiao et al., arXiv 2211.10438): scales move the range of activation channels into
/// the weights,
///   s_c = max|X_c|^alpha / max|W_c|^(1 - alpha),
/// maxima over calibration tokens of the full-precision model, and over rows of all linears that
/// share the input. Channels that are always 0 keep s = 1.
class SmoothQuant final : public WeightMethod {
 public:
  std::string summary() const override;
  CalibrationNeeds calibration_needs() const override { return CalibrationNeeds::kBothChains; }

 protected:
  void visit_own(OptionVisitor& v) override;
  void transform(BlockContext& context, Recorder& recorder) override;

 private:
  struct Sites {
    bool input_norm = true, post_norm = true, value_output = false, up_down = false;
    void visit(OptionVisitor& v);
    std::vector<Site> chosen() const;
  };

  double alpha_ = 0.5;
  Sites sites_;
};

}  // namespace wkvq
