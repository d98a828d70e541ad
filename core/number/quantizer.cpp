#include "core/number/quantizer.h"

#include "core/device/autograd_operands.h"
#include "core/device/torch_headers.h"
#include "core/number/elements.h"

namespace wkvq {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

void save_plan(AutogradContext* context, const QuantPlan& plan) {
  context->saved_data["plan"] = std::vector<int64_t>{plan.rows,
                                                     plan.width,
                                                     plan.group,
                                                     plan.max_code,
                                                     static_cast<int64_t>(plan.form),
                                                     static_cast<int64_t>(plan.stored),
                                                     plan.include_zero,
                                                     static_cast<int64_t>(plan.element.kind),
                                                     plan.element.mantissa_bits,
                                                     plan.element.lowest_exponent,
                                                     static_cast<int64_t>(plan.rule),
                                                     static_cast<int64_t>(plan.element.table)};
  context->saved_data["reals"] = std::vector<double>{plan.element.largest, plan.tensor_factor};
}

QuantPlan saved_plan(AutogradContext* context) {
  const std::vector<int64_t> saved = context->saved_data["plan"].toIntVector();
  const std::vector<double> reals = context->saved_data["reals"].toDoubleVector();
  return {.rows = saved[0],
          .width = saved[1],
          .group = saved[2],
          .max_code = saved[3],
          .form = static_cast<QuantForm>(saved[4]),
          .stored = static_cast<ScaleDtype>(saved[5]),
          .include_zero = saved[6] != 0,
          .element = {static_cast<ElementKind>(saved[7]), static_cast<int>(saved[8]),
                      static_cast<int>(saved[9]), reals[0], static_cast<ElementTable>(saved[11])},
          .rule = static_cast<ScaleRule>(saved[10]),
          .tensor_factor = reals[1]};
}

struct FakeQuantize : torch::autograd::Function<FakeQuantize> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& high,
                            const at::Tensor& low, const QuantSpec& spec) {
    const QuantPlan plan = make_plan(x, spec);
    context->save_for_backward({x, high, low});
    save_plan(context, plan);
    return fake_quant_forward(x, plan, {or_undefined(high), or_undefined(low)});
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const variable_list saved = context->get_saved_variables();
    const FakeQuantGradients g = fake_quant_backward(
        grads[0], saved[0], saved_plan(context), {or_undefined(saved[1]), or_undefined(saved[2])});
    return {g.x, g.clip.high, g.clip.low, at::Tensor()};
  }
};

}  // namespace

at::Tensor fake_quantize(const at::Tensor& x, const QuantSpec& spec) {
  if (spec.identity()) return x;
  if (x.requires_grad() && at::GradMode::is_enabled())
    return FakeQuantize::apply(x, or_empty({}, x), or_empty({}, x), spec);
  return fake_quant_forward(x, make_plan(x, spec));
}

at::Tensor fake_quantize_clipped(const at::Tensor& x, const ClipRatios& clip,
                                 const QuantSpec& spec) {
  if (spec.identity()) return x;
  return FakeQuantize::apply(x, clip.high, clip.low, spec);
}

Encoded encode(const at::Tensor& x, const QuantSpec& spec, const ClipRatios& clip) {
  const QuantPlan plan = make_plan(x, spec);
  return {encode_groups(x, plan, clip), plan, x.scalar_type()};
}

at::Tensor decode(const Encoded& encoded) {
  return decode_groups(encoded.groups, encoded.plan, encoded.dtype);
}

GroupGrid group_grid(const at::Tensor& x, QuantSpec spec) {
  spec.group_size = -1;
  const Encoded encoded = encode(x, spec);
  return {encoded.groups.scale.flatten(), encoded.groups.offset.flatten(), encoded.plan};
}

// The operations of group_math.h one by one, so that each rounds as it does there.
at::Tensor GroupGrid::codes(const at::Tensor& x) const {
  const at::Tensor wide = x.to(scale.scalar_type());
  // Scales of ggml's blocks may be 0: all codes then stand for 0.
  const at::Tensor step = by_inverse(plan.rule) ? scale.masked_fill(scale == 0, 1) : scale;
  if (!plan.integers()) return nearest_elements(wide / step, plan);
  const auto low = static_cast<double>(plan.lowest_code()), top = plan.top();
  if (plan.form == QuantForm::kZeroPoint)
    return (wide / step).round_().add_(offset).clamp_(low, top);
  return (is_symmetric(plan.form) ? wide / step : (wide - offset) / step).round_().clamp_(low, top);
}

at::Tensor GroupGrid::stored(const at::Tensor& codes) const {
  if (!plan.integers()) return element_codes(codes, plan);
  return (codes - static_cast<double>(plan.lowest_code())).to(at::kByte);
}

at::Tensor GroupGrid::values(const at::Tensor& codes) const {
  if (plan.form == QuantForm::kZeroPoint) return (codes - offset) * scale;
  return is_symmetric(plan.form) ? codes * scale : codes * scale + offset;
}

}  // namespace wkvq
