#pragma once

#include "methods/common/scaling_site.h"
#include "methods/common/weight_method.h"

namespace wkvq {

/// AWQ (Lin et al., arXiv 2306.00978): inputs that matter get finer weights. At every site
///   s = a^ratio, normalized to max(s) min(s) = 1, a_c = mean |x_c|,
/// with the ratio of a grid that changes the output of the site's module least when its weights W
/// become Q(W s) / s; then weights are clipped to the part of each group's range that keeps its
/// partial output best, and rounded to nearest. Everything looks at the full-precision model.
/// Channels that are always 0 keep s = 1.
class Awq final : public WeightMethod {
 public:
  std::string summary() const override;
  CalibrationNeeds calibration_needs() const override;
  MethodMemory calibration_memory(const ModelConfig& model,
                                  const CalibrationSize& size) const override;
  /// A grid of scales and one of clippings.
  double calibration_passes() const override {
    return static_cast<double>((scale_ ? ratios_ : 0) + (clip_ ? 10 : 0) + 3);
  }

 protected:
  void visit_own(OptionVisitor& v) override;
  void transform(BlockContext& context, Recorder& recorder) override;
  int64_t wanted_tokens(const ModelConfig& model) const override;
  void round(BlockContext& context, Recorder& recorder) override;

 private:
  std::vector<Site> sites(const ModelConfig& model) const;

  bool scale_ = true;
  int64_t ratios_ = 20;
  bool clip_ = true;
  bool shared_value_output_ = false;
};

}  // namespace wkvq
