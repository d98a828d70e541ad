#pragma once

#include "core/method.h"

namespace wkvq {

/// Round to nearest: every linear weight on its own grid, keys and values by the codec, nothing
/// learned.
class Rtn final : public Method {
 public:
  void visit(OptionVisitor& v) override;
  std::string summary() const override;
  const KvOptions& kv() const override { return kv_; }
  CalibrationNeeds calibration_needs() const override {
    return kv_.needs_statistics() ? CalibrationNeeds::kQuantizedChain : CalibrationNeeds::kNone;
  }
  void check(const ModelConfig& model) const override;
  void calibrate(BlockContext& context, Recorder& recorder) override;
  double weight_bits(int64_t inputs, int64_t compute_bits) const override;

 private:
  QuantSpec weight_;
  KvOptions kv_;
};

}  // namespace wkvq
