#include "core/number/activation_quantizer.h"

#include <fmt/format.h>

#include "core/device/torch_headers.h"
#include "core/number/elements.h"
#include "core/number/quant_form_help.h"
#include "core/number/quantizer.h"

namespace wkvq {

void ActivationOptions::visit(OptionVisitor& v) {
  const FormatFields before{format, form, {}, -1};
  visit_format(v, bits, format);
  v.choice("form", form, range_form_names(), kFormHelp);
  v.choice("scale", scale, {"token", "tensor"},
           "a range for every token as it comes, or one for all from calibration");
  const NumberFormat& row = number_format(format);
  form = settle_format(v, {format, form, {}, -1}, before, {{}, QuantForm::kSymmetric, {}, -1}).form;
  check_bits(v, "bits", bits);
  if (row.tensor_limit > 0)
    v.reject("format", fmt::format("{} takes one scale from the whole tensor, so a token would "
                                   "depend on its neighbours; expected nvfp4_cast",
                                   row.name));
  if (scale == ActivationScale::kTensor && row.block > 0)
    v.reject("scale", fmt::format("tensor of format {}, whose blocks have scales of their own; "
                                  "expected token",
                                  row.name));
  if (scale == ActivationScale::kTensor && form != QuantForm::kSymmetric)
    v.reject("form", "must be symmetric with scale: tensor");
}

namespace {

QuantSpec spec_of(const ActivationOptions& options) {
  const int64_t block = number_format(options.format).block;
  return {.bits = options.bits,
          .group_size = block > 0 ? block : -1,
          .form = options.form,
          .format = options.format};
}

/// `x` on the symmetric grid of a calibrated range.
at::Tensor nearest_on(double largest, const at::Tensor& x, const QuantSpec& spec) {
  const QuantPlan plan = make_plan(x, spec);
  const double scale = plan.rule == ScaleRule::kOne ? 1.0 : largest / plan.top();
  if (!plan.integers()) return nearest_elements(x / scale, plan) * scale;
  return (x / scale).round().clamp(-plan.top() - 1, plan.top()) * scale;
}

}  // namespace

std::optional<QuantSpec> ActivationQuantizer::of_token() const {
  if (identity() || options_.scale != ActivationScale::kToken) return std::nullopt;
  return spec_of(options_);
}

at::Tensor ActivationQuantizer::operator()(const at::Tensor& x) const {
  if (identity()) return x;
  if (const auto spec = of_token()) return fake_quantize(x, *spec);
  if (largest_ == 0) return x;
  const at::Tensor rounded = nearest_on(largest_, x, spec_of(options_));
  return at::GradMode::is_enabled() && x.requires_grad() ? x + (rounded - x).detach() : rounded;
}

}  // namespace wkvq
