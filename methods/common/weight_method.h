#pragma once

#include "core/calibrate/method.h"
#include "core/number/activation_quantizer.h"
#include "core/number/weight_codes.h"

namespace wkvq {

/// What all methods here share: options `weight`, `activation` and `kv`, and the order of work on a
/// block: transform it, round its weights, then fit activation ranges and the cache's codec to what
/// the rounded block produces. Derived methods override the first two.
class WeightMethod : public Method {
 public:
  void visit(OptionVisitor& v) final;
  const KvOptions& kv() const final { return kv_; }
  CalibrationNeeds calibration_needs() const override;
  void check(const ModelConfig& model) const override;
  std::vector<std::string> warnings(const ModelConfig& model,
                                    int64_t calibration_tokens) const final;
  void check_packable(const ModelConfig& model) const override;
  std::optional<ActivationOptions> token_activation() const override {
    if (activation_.needs_statistics()) return std::nullopt;
    return activation_;
  }
  MethodMemory calibration_memory(const ModelConfig& model,
                                  const CalibrationSize& size) const override;
  void calibrate(BlockContext& context, Recorder& recorder) override;
  double weight_bits(int64_t layer, const std::string& linear, int64_t inputs,
                     int64_t compute_bits) const final;

 protected:
  /// Options of the method itself, beside weight, activation and kv.
  virtual void visit_own(OptionVisitor&) {}
  /// How the weight of a linear is rounded; weight_ unless places have bits of their own.
  virtual QuantSpec weight_of(int64_t /*layer*/, const std::string& /*linear*/) const {
    return weight_;
  }
  /// Rewrites the block into one that computes the same, better fit for quantization.
  virtual void transform(BlockContext&, Recorder&) {}
  /// Tokens of calibration text below which what the options fit follows that text more than the
  /// model (docs/methods.md); 0: they fit nothing, or little.
  virtual int64_t wanted_tokens(const ModelConfig& model) const;
  /// Whether any linear of the model is rounded.
  bool quantizes_weights(const ModelConfig& model) const;
  /// The grids of the linears of a block.
  std::function<QuantSpec(const std::string&)> spec_of(const BlockContext& context) const;
  /// Whether kv.channel may be `learned`.
  virtual bool learns_channels() const { return false; }
  /// Replaces the weights by their quantized copies; round to nearest unless overridden. Called
  /// only where weights of the block are quantized at all.
  virtual void round(BlockContext& context, Recorder& recorder);
  /// Records the error of `rounded` and puts it, codes and all, into the linear.
  static void replace_weight(const BlockContext& context, Recorder& recorder, const char* name,
                             Linear& linear, const RoundedWeight& rounded);

  QuantSpec weight_;
  ActivationOptions activation_;
  KvOptions kv_;

 private:
  /// transform() and round(), and what that did to the outputs of the linears.
  void rewrite(BlockContext& context, Recorder& recorder);

  bool rounded_to_nearest_ = false;  ///< round() was not overridden
};

/// The most inputs that a linear of the model has.
int64_t widest_input(const ModelConfig& model);

}  // namespace wkvq
