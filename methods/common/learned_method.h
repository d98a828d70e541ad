#pragma once

#include "methods/common/learned_block.h"
#include "methods/common/weight_method.h"

namespace wkvq {

/// A method that trains each block: OmniQuant and WKVQuant are sets of defaults of it.
class LearnedMethod : public WeightMethod {
 public:
  CalibrationNeeds calibration_needs() const final { return CalibrationNeeds::kBothChains; }
  bool chain_sees_cache() const final { return true; }
  bool trains() const final { return true; }
  double calibration_passes() const final;
  void check(const ModelConfig& model) const final;
  MethodMemory calibration_memory(const ModelConfig& model,
                                  const CalibrationSize& size) const final;
  void calibrate(BlockContext& context, Recorder& recorder) final;

 protected:
  void visit_own(OptionVisitor& v) final;
  bool learns_channels() const final { return true; }
  /// What the publication leaves open and these defaults decide; written to the run file.
  virtual std::string not_stated() const { return {}; }

  LearnedSwitches learn_;
  LossOptions loss_;
  TrainingOptions training_;
};

}  // namespace wkvq
