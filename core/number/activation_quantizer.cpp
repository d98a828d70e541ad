#include "core/number/activation_quantizer.h"

#include "core/device/torch_headers.h"
#include "core/number/quant_form_help.h"
#include "core/number/quantizer.h"

namespace wkvq {

void ActivationOptions::visit(OptionVisitor& v) {
  v("bits", bits, "2 to 8; 16: no quantization");
  v.choice("form", form, quant_form_names(), kFormHelp);
  v.choice("scale", scale, {"token", "tensor"},
           "a range for every token as it comes, or one for all from calibration");
  check_bits(v, "bits", bits);
  if (scale == ActivationScale::kTensor && form != QuantForm::kSymmetric)
    v.reject("form", "must be symmetric with scale: tensor");
}

at::Tensor ActivationQuantizer::operator()(const at::Tensor& x) const {
  if (identity()) return x;
  const QuantSpec spec{.bits = options_.bits, .form = options_.form};
  if (options_.scale == ActivationScale::kToken) return fake_quantize(x, spec);
  if (largest_ == 0) return x;
  const auto top = static_cast<double>(spec.max_code());
  const double scale = largest_ / top;
  const at::Tensor rounded = (x / scale).round().clamp(-top - 1, top) * scale;
  return at::GradMode::is_enabled() && x.requires_grad() ? x + (rounded - x).detach() : rounded;
}

}  // namespace wkvq
