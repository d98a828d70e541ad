#pragma once

#include "methods/common/weight_method.h"
#include "methods/gptq/rounding_options.h"
#include "methods/rotation/orthonormal.h"

namespace wkvq {

/// QuaRot style rotation (Ashkboos et al., arXiv 2404.00456): weights, and inputs where these are
/// quantized, are quantized in a basis without outliers. Gains of the norms go into the linears
/// behind them; a norm without gain commutes with an orthonormal Q, so a rotated model computes the
/// same, and is here computed in the model's own basis:
///   readers of the residual stream  W <- Round(W diag(g) Q) Q^T,
///   writers into it                 W <- Q Round(Q^T W),
/// and likewise per head between v_proj and o_proj, and in front of down_proj. Where inputs are
/// quantized, Linear::basis takes them to the rotated basis, and the weight stays in it. Keys and
/// values of the cache have their own option, kv: {rotate: hadamard}.
class Rotation final : public WeightMethod {
 public:
  std::string summary() const override;
  CalibrationNeeds calibration_needs() const override;
  void check_packable(const ModelConfig& model) const override;
  std::optional<ActivationOptions> token_activation() const override;
  MethodMemory calibration_memory(const ModelConfig& model,
                                  const CalibrationSize& size) const override;

 protected:
  void visit_own(OptionVisitor& v) override;
  void transform(BlockContext& context, Recorder& recorder) override;
  int64_t wanted_tokens(const ModelConfig& model) const override;
  void round(BlockContext& context, Recorder& recorder) override;

 private:
  /// The rotations of a linear's input and output channels.
  struct Sides {
    const Orthonormal *input, *output;
  };
  Sides sides_of(const std::string& linear) const;
  void make_rotations(const ModelConfig& model);
  /// The dense matrix of `rotation` on `width` channels, made once, like `x`.
  const at::Tensor& basis(const Orthonormal* rotation, int64_t width, const at::Tensor& x);

  int64_t seed_ = 0;
  bool residual_ = true, values_ = true, down_ = false;
  RoundingOptions rounding_;

  bool made_ = false;
  Orthonormal identity_, of_residual_, of_heads_, of_down_;
  std::map<const Orthonormal*, at::Tensor> bases_;
};

}  // namespace wkvq
