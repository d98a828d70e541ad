#pragma once

#include "methods/common/weight_method.h"
#include "methods/hqq/hqq_rounding.h"

namespace wkvq {

/// HQQ, half-quadratic quantization (Badri and Shaji 2023): round to nearest, with offsets of
/// groups that are moved to lower a norm of the weight's errors in which outliers count little; no
/// data.
class Hqq final : public WeightMethod {
 public:
  Hqq();
  std::string summary() const override;
  void check(const ModelConfig& model) const override;

 protected:
  void visit_own(OptionVisitor& v) override { solver_.visit(v); }
  void round(BlockContext& context, Recorder& recorder) override;

 private:
  HqqOptions solver_;
};

}  // namespace wkvq
