#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "core/number/quant_spec.h"

namespace wkvq {

enum class ActivationScale { kToken, kTensor };

/// How the inputs of the linears are quantized.
struct ActivationOptions {
  int64_t bits = 16;
  FormatId format = FormatId::kInteger;
  QuantForm form = QuantForm::kSymmetric;
  ActivationScale scale =
      ActivationScale::kToken;  ///< dynamic by token, or static from calibration

  bool operator==(const ActivationOptions&) const = default;
  bool identity() const { return bits == 16; }
  bool needs_statistics() const { return !identity() && scale == ActivationScale::kTensor; }
  void visit(OptionVisitor& v);
};

/// Quantizes the input of one linear; the default is the identity.
class ActivationQuantizer {
 public:
  ActivationQuantizer() = default;
  /// `largest`: the largest |x| of calibration; read by ActivationScale::kTensor only.
  ActivationQuantizer(const ActivationOptions& options, double largest)
      : options_(options), largest_(largest) {}

  bool identity() const { return options_.identity(); }
  /// How a token is rounded where its range is its own; nothing where it is not rounded, or by a
  /// calibrated range.
  std::optional<QuantSpec> of_token() const;
  /// What of_token() follows from.
  const ActivationOptions& options() const { return options_; }
  /// The quantized copy of x [..., in], same shape and dtype; rounding is the identity backwards.
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  ActivationOptions options_;
  double largest_ = 0;
};

}  // namespace wkvq
